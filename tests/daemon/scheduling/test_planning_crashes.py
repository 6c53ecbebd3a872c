"""Rule 13: wherever planning is broken off, each instant ends in exactly one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import event

from daemon.definitions.triggers.trigger import Every
from daemon.store.tables import run, schedule
from tests.support.store import Store, a_schedule

EVERY = 10.0


class Crash(Exception):
    """In place of the end of the process."""


@contextmanager
def crash_before(store: Store, number: int) -> Iterator[list[int]]:
    """Send no statement of this number, counted from 1, nor any that would follow; and tell whether it came to that."""
    numbers = count(1)
    crashed: list[int] = []

    def before(*_: Any) -> None:
        if crashed or next(numbers) == number:
            crashed.append(number)
            raise Crash

    event.listen(store.engine, "before_cursor_execute", before)
    try:
        yield crashed
    except Crash:
        assert crashed
    finally:
        event.remove(store.engine, "before_cursor_execute", before)


def crashes(store: Store, number: int) -> bool:
    """Plan three instants, break off before this statement, and look at what another replica makes of it; False at the end."""
    application, poll = f"shop{number}", a_schedule("poll", Every(EVERY), overlap="queue", catch_up="all")
    store.sync(poll, application=application)
    of_ours = schedule.c.application == application
    store.shift(schedule, of_ours, planned_until=-35.0, anchor=-35.0, next_due=-25.0)
    with crash_before(store, number) as crashed:
        store.plan(poll, application=application)
    again = store.plan(poll, application=application)
    instants = [row.scheduled_for for row in store.runs(run.c.application == application)]
    assert len(instants) >= 3, f"broken off before statement {number}"
    assert instants == [instants[0] + timedelta(seconds=EVERY) * place for place in range(len(instants))]
    assert again.doubled == 0
    return bool(crashed)


def test_a_crash_before_any_statement_loses_and_doubles_no_instant(store: Store) -> None:
    broken_off = next(number for number in count(1) if not crashes(store, number)) - 1
    assert broken_off >= 3, "at least what is due is read, runs are made, and the schedule moved on"
