"""A claimed run, from its claim to its end; every write is fenced."""
