"""The tables, every SQL statement, and the views that people read."""
