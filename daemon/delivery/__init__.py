"""The delivery of messages and pings from the outbox to their targets, off the path of runs."""
