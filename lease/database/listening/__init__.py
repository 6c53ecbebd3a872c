"""What is heard of a database without asking it: notifications of PostgreSQL, and changes of SQLite's file."""
