"""The history in the daemon's own tables, read as facts."""
