"""Whether the machine has room for an attempt, and what it lacks if not (rule 25)."""
