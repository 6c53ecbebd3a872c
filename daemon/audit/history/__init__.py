"""The history as the database has it, read as facts."""
