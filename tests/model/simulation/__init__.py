"""A small world in which the real core and heartbeat of several clients run, step by step, under faults that a seed decides.

`python -m tests.model.simulation --seed 1234` runs one seed and tells what happened.
"""
