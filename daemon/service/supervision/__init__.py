"""Replicas under a supervisor, which starts each one again that ends, and replaces all on SIGHUP."""
