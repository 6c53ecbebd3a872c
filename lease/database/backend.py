"""What a kind of database is and can do: one value for each kind, asked instead of its name."""

SCHEMA = "public"
"""Where the tables are on PostgreSQL."""
