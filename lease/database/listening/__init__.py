"""What is heard of a PostgreSQL database without asking it."""
