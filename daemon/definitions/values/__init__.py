"""The values of settings: how people write them, what is kept of them, and by which sentence they are refused."""
