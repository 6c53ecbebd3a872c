"""What can go wrong, as one sentence."""


class BenchmarkError(Exception):
    """The benchmark cannot be run, or what it saw must not be."""
