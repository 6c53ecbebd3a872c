"""Wires: connections of a client over which its callers send statements themselves, from any thread or event loop."""
