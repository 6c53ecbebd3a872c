"""Spare connections: one more of a client, for its callers' own threads and event loops."""
