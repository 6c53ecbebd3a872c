"""What ends the rest of a replica before its time: notices, turns, and changes of a file (rule 24)."""
