"""What a replica answers over HTTP."""
