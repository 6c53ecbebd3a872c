"""The definitions that rule: how they come into the database, and what becomes of runs of others."""
