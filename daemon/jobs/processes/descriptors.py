"""The file descriptors that children take in this process, and the limit that they have themselves (rule 25)."""

import os
from contextlib import ExitStack

OF_CHILD = 3
"""Descriptors open here for each child at work: the socket to its keeper, and two pipes."""
LEFT_OVER = 24
"""Descriptors that a start leaves to the replica itself, or it does not begin: the start takes nine for a moment, and a
shortage that jobs make must not reach the heartbeat."""

_limit_of_children = -1


def set_limit_of_children(soft: int) -> None:
    """Have children start with this soft limit, because this process has raised its own."""
    global _limit_of_children  # noqa: PLW0603 - as the limit itself, it is one for the process
    _limit_of_children = soft


def limit_of_children() -> int:
    """Return the soft limit for children; -1 for that of this process."""
    return _limit_of_children


def left_over(descriptor: int) -> None:
    """Raise `OSError` unless so many descriptors are free; ``descriptor`` is any open one."""
    with ExitStack() as stack:
        for _ in range(LEFT_OVER + OF_CHILD):
            stack.callback(os.close, os.dup(descriptor))
