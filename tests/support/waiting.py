"""Waiting for what happens in another process or thread: for a condition, with a limit, never for a time."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, *, limit: float = 10.0) -> None:
    """Return once `condition()` is true; AssertionError that names `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        time.sleep(0.005)
