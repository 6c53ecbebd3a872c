"""The wait for something in another process or thread: for a condition, with a limit."""

import os
import time
from collections.abc import Callable

LIMIT = float(os.environ.get("LEASED_TEST_LIMIT", "120"))
"""Seconds after which a test gives up. It guards against hanging, and promises nothing: where ten processes share each
core, `leased run` takes 40 s for a run of a moment.
"""


def wait_until(condition: Callable[[], object], what: str, *, limit: float = LIMIT) -> None:
    """Wait until `condition()` is true; after `limit` seconds an AssertionError names `what`."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        time.sleep(0.005)
