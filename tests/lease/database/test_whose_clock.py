"""Rule 1: the database's clock alone decides; no statement brings the wall clock of the machine that asks along."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import event

from lease import statements
from tests.lease.stores import Tables

A_DAY = 86_400.0


@contextmanager
def sent_by(tables: Tables) -> Iterator[list[Any]]:
    """All values that statements are given meanwhile."""
    sent: list[Any] = []

    def before(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
        sent.extend(flat(parameters))

    event.listen(tables.engine, "before_cursor_execute", before)
    yield sent
    event.remove(tables.engine, "before_cursor_execute", before)


def flat(values: Any) -> Iterator[Any]:
    if isinstance(values, Mapping):
        yield from flat(list(values.values()))
    elif isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        for value in values:
            yield from flat(value)
    else:
        yield values


def tells_the_time(value: Any) -> bool:
    """Whether it is a moment of the wall clock, in this program's types or in seconds."""
    return isinstance(value, date) or (isinstance(value, (int, float)) and abs(value - time.time()) < A_DAY)


def test_no_statement_takes_the_time_from_this_machines_wall_clock(tables: Tables) -> None:
    with sent_by(tables) as sent:
        first, second = tables.grant("a", "b")
        tables.renew()
        tables.run(statements.renewing_unlocked("anna", 60.0))
        assert tables.queue("a", holder="ben") == []
        assert tables.record("a").live
        assert tables.settle(first) == []
        tables.fence(first)
        tables.release(first)
        tables.end_dead(second)
    assert "anna" in sent
    assert [value for value in sent if tells_the_time(value)] == []
