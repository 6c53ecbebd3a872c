"""The values of settings: how people write them, what is kept of them, and what is refused."""
