"""The database: where it is, what it can do, and how to work on it; the daemon shares this room."""
