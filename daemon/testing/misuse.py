"""The error of a test that asks for what it cannot have."""

from ..errors import DaemonError


class Misuse(DaemonError, RuntimeError):
    """This package was used in a way that cannot work; the message says what to do instead."""
