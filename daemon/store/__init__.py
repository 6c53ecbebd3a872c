"""The tables, every SQL statement, and what people may read of them."""
