"""What a process does that upgrades tables beside others; apart, because each loads the module that it is in."""

from typing import Any

from daemon.store import migrations
from tests.support.waiting import LIMIT


def upgraded(url: str, ready: Any, go: Any, answers: Any) -> None:
    """Upgrade once all are ready, and tell what was applied."""
    ready.release()
    go.wait(LIMIT)
    try:
        answers.put(migrations.upgrade(url))
    except Exception as error:  # noqa: BLE001 - told to the test
        answers.put(repr(error))
