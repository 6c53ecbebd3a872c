"""Waiting for what happens in another process or thread: for a condition, with a limit, never for a time."""

import os
import time
from collections.abc import Callable

LIMIT = float(os.environ.get("LEASED_TEST_LIMIT", "60"))
"""Seconds after which what has not happened never will. It guards against hanging, and promises nothing."""


def wait_until(condition: Callable[[], object], what: str, *, limit: float = LIMIT) -> None:
    """Return once `condition()` is true; AssertionError that names `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        time.sleep(0.005)
