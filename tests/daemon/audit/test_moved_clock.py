"""On SQLite, times that were written while the machine's clock was set wrong are told apart from what happened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import pytest
from sqlalchemy import Row, update

from daemon.audit.history import wrongly_timed
from daemon.store.tables import job_run
from lease.database.dialects import later
from tests.support.store import Store

from .histories import at
from .story import Story, audit, make, tell

HOUR = 3600.0
MOVED = 26 * HOUR
NOW = 10 * HOUR


class Attempt(NamedTuple):
    id: int
    started_at: datetime
    finished_at: datetime | None


def attempt(number: int, started: float, lasted: float | None = 5.0) -> Attempt:
    return Attempt(number, at(started), None if lasted is None else at(started + lasted))


def in_order(moved: dict[int, float]) -> list[Attempt]:
    """Twelve attempts, one a minute; some while the clock was set wrong by so many seconds."""
    return [attempt(number, 60.0 * number + moved.get(number, 0.0)) for number in range(1, 13)]


def wrong(attempts: Sequence[Attempt], now: float = NOW) -> set[int]:
    return set(wrongly_timed(cast("Sequence[Row[Any]]", attempts), at(now)))


# Which times cannot be true


TOLERATED: dict[str, tuple[list[Attempt], float]] = {
    "none": ([], NOW),
    "in the order of their making": (in_order({}), NOW),
    "at the same moment": ([attempt(1, 0), attempt(2, 0), attempt(3, 0, None)], NOW),
    "one ends long after later ones began": (
        [attempt(1, 0, 5 * HOUR), attempt(2, 60), attempt(3, 120, None), attempt(4, 2 * HOUR)],
        NOW,
    ),
    # Less than minutes out of order is judged like any other time.
    "ten minutes late": ([attempt(1, 0), attempt(2, 660), attempt(3, 60), attempt(4, 120)], NOW),
    "ten minutes early": ([attempt(1, 0), attempt(2, 60), attempt(3, -540), attempt(4, 120)], NOW),
    "ended ten minutes before it began": ([attempt(1, 0, -600), attempt(2, 60)], NOW),
    "ended ten minutes after now": ([attempt(1, 0, 700), attempt(2, 60)], 100),
    "began ten minutes after now": ([attempt(1, 0), attempt(2, 700, None)], 100),
}
WRONG: dict[str, tuple[list[Attempt], float, set[int]]] = {
    "late": ([attempt(1, 0), attempt(2, 660.001), attempt(3, 60), attempt(4, 120)], NOW, {2}),
    "early": ([attempt(1, 0), attempt(2, 60), attempt(3, -540.001), attempt(4, 120)], NOW, {3}),
    "ended before it began": ([attempt(1, 0, -600.001), attempt(2, 60)], NOW, {1}),
    "ended after now": ([attempt(1, 0, 700.001), attempt(2, 60)], 100, {1}),
    "the last began after now": ([attempt(1, 0), attempt(2, 700.001, None)], 100, {2}),
    "forwards and then backwards": (in_order({4: MOVED, 5: MOVED, 9: -MOVED, 10: -MOVED}), NOW, {4, 5, 9, 10}),
    "most of them are yet to come": (in_order(dict.fromkeys(range(3, 11), MOVED)), NOW, {*range(3, 11)}),
    "fewer than those that began at one moment": (
        [attempt(1, HOUR), attempt(2, HOUR + 60), *(attempt(number, 0) for number in (3, 4, 5))],
        NOW,
        {1, 2},
    ),
}


@pytest.mark.parametrize(("attempts", "now"), TOLERATED.values(), ids=TOLERATED)
def test_times_that_may_be_true_are_not_wrong(attempts: list[Attempt], now: float) -> None:
    assert wrong(attempts, now) == set()


@pytest.mark.parametrize(("attempts", "now", "those"), WRONG.values(), ids=WRONG)
def test_those_that_cannot_be_true_are_wrong_and_no_others(
    attempts: list[Attempt], now: float, those: set[int]
) -> None:
    assert wrong(attempts, now) == those


@pytest.mark.parametrize("seconds", [MOVED, -MOVED, HOUR, -HOUR])
@pytest.mark.parametrize("moved", [{6}, {5, 6, 7}, {3, 8, 9}])
def test_what_was_made_while_the_clock_was_set_wrong_is_wrong_and_nothing_else(moved: set[int], seconds: float) -> None:
    assert wrong(in_order(dict.fromkeys(moved, seconds))) == moved
    assert wrong(in_order(dict.fromkeys(moved, seconds)), now=1000.0) == moved


# What the audit says then


def _move(url: str, seconds: float) -> int:
    """Let every third attempt but the last have been made while the clock was wrong; later rows have the right time again."""
    with Store(url) as store:
        make(store)
        over = [row.id for row in store.job_runs() if row.finished_at is not None]
        moved = over[1:-1:3]
        times = {name: later(job_run.c[name], seconds) for name in ("started_at", "finished_at")}
        change = update(job_run).where(job_run.c.id.in_(moved)).values(**times)
        changed: int = store.do(lambda connection: connection.execute(change).rowcount)
    assert changed == len(moved) > 4
    return changed


@pytest.mark.parametrize("seconds", [MOVED, -MOVED])
@pytest.mark.usefixtures("passing_seconds")
def test_on_sqlite_a_moved_clock_breaks_no_promise_and_is_told_once(sqlite_url: str, seconds: float) -> None:
    moved = _move(sqlite_url, seconds)
    assert [str(violation) for violation in audit(sqlite_url)] == []
    (remark,) = tell(sqlite_url).remarks
    assert remark == (
        f"{moved} attempts have times that are out of order, as after the machine's clock was set; these were not compared"
    )


@pytest.mark.parametrize("seconds", [MOVED, -MOVED])
def test_on_postgresql_the_same_times_are_named(postgres_url: str, seconds: float) -> None:
    _move(postgres_url, seconds)
    assert audit(postgres_url) != []
    assert tell(postgres_url).remarks == ()


@pytest.mark.usefixtures("passing_seconds")
def test_on_sqlite_a_clock_that_was_never_set_is_no_matter(sqlite_url: str) -> None:
    with Store(sqlite_url) as store:
        assert isinstance(make(store), Story)
    assert audit(sqlite_url) == []
    assert tell(sqlite_url).remarks == ()
