"""Claim contention: how fast replicas, all at once, claim and end runs that are all due."""
