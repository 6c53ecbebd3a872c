"""The answers of a replica over HTTP."""
