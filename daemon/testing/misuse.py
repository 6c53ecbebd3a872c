"""What a test asked for and cannot have."""

from ..errors import DaemonError


class Misuse(DaemonError, RuntimeError):
    """A test that uses this package in a way that cannot work; the sentence says what to do instead."""
