"""Which replicas live, and what the dead left behind."""
