"""Where the database is and how to work on it, on PostgreSQL and SQLite: the one layer that the daemon shares."""
