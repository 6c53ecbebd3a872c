"""By when the next success of each schedule is expected."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from daemon.definitions.schedule import Schedule
from daemon.operations.cancel import cancel
from daemon.operations.deadlines import with_deadlines
from daemon.operations.trigger import trigger
from daemon.store.tables import run, schedule
from daemon.store.views.overview import read_overview
from tests.support.store import Store, a_schedule, an_at, statements_on

MINUTE = timedelta(minutes=1)
DUE = datetime(2040, 12, 25, 2, tzinfo=UTC)


def success_by(store: Store, name: str = "nightly") -> datetime | None:
    def read(connection: Any) -> datetime | None:
        overview = read_overview(connection)
        (line,) = (one for one in with_deadlines(connection, overview, overview.schedules) if one.schedule == name)
        return line.success_by

    return store.do(read)


def nightly(**settings: Any) -> Schedule:
    return Schedule.model_validate({"name": "nightly", "cron": "0 2 * * *", "starts": DUE, **settings})


def took(store: Store, minutes: float) -> None:
    """A run of it has succeeded, and taken so long."""
    run_id = store.do(trigger, "shop", "nightly", requested_by="ada")
    over = {"state": "succeeded", "started_at": DUE, "finished_at": DUE + minutes * MINUTE, "available_at": None}
    store.change(run, run.c.id == run_id, **over)


def test_they_take_as_many_statements_for_several_applications_as_for_one(store: Store) -> None:
    counts = []
    for number in range(3):
        store.sync(nightly(), a_schedule("more"), application=f"shop-{number}")
        with store.begin() as connection:
            overview = read_overview(connection)
            with statements_on(connection) as sent:
                with_deadlines(connection, overview, overview.schedules)
        counts.append(len(sent))
    assert counts[0] == counts[1] == counts[2]


def test_with_finish_by_it_is_the_deadline_of_what_is_due_next(store: Store) -> None:
    store.sync(nightly(finish_by="06:00", timezone="America/New_York"))
    assert success_by(store) == DUE + timedelta(hours=9)


def test_without_it_is_the_latest_start_and_as_long_as_a_run_usually_takes(store: Store) -> None:
    store.sync(nightly())
    assert success_by(store) is None, "how long it takes is not known"
    took(store, 12)
    assert success_by(store) == DUE + 13 * MINUTE
    store.sync(nightly(start_within="30m"))
    assert success_by(store) == DUE + 42 * MINUTE


def test_an_unfinished_run_is_what_is_to_succeed_next(store: Store) -> None:
    store.sync(nightly(finish_by="4h"))
    took(store, 12)
    run_id = store.do(trigger, "shop", "nightly", requested_by="ada")
    assert success_by(store) == store.run(run_id).finish_by
    store.change(run, run.c.id == run_id, finish_by=None)
    assert success_by(store) == store.run(run_id).scheduled_for + 13 * MINUTE


def test_one_that_is_for_an_instant_of_before_or_is_to_end_is_not_what_is_to_succeed_next(store: Store) -> None:
    """Otherwise a retry of last week's run would be told as a week late."""
    store.sync(nightly(finish_by="4h"))
    took(store, 12)
    for mark in ("retry_of", "backfill"):
        run_id = store.do(trigger, "shop", "nightly", requested_by="ada")
        store.change(run, run.c.id == run_id, finish_by=None, scheduled_for=DUE - timedelta(days=9_000), **{mark: 1})
        assert success_by(store) == DUE + timedelta(hours=4)
        store.change(run, run.c.id == run_id, **{mark: None})
        assert success_by(store) != DUE + timedelta(hours=4)
        store.claim("nightly", limit=1)
        store.do(cancel, run_id, requested_by="ada")
        assert success_by(store) == DUE + timedelta(hours=4)


def test_what_is_excluded_or_paused_is_not_expected_to_succeed(store: Store) -> None:
    store.sync(nightly(finish_by="4h", exclude=["12-25", "12-26"]))
    assert success_by(store) == DUE + timedelta(days=2, hours=4)
    store.change(schedule, paused_at=DUE - timedelta(days=9_000))
    assert success_by(store) is None
    store.change(schedule, paused_until=DUE + timedelta(days=4))
    assert success_by(store) == DUE + timedelta(days=4, hours=4)
    store.change(schedule, paused_at=None, paused_until=None)
    store.sync(nightly(finish_by="4h", exclude=["2040-12-25..2041-12-25"]))
    assert success_by(store) == datetime(2041, 12, 26, 6, tzinfo=UTC)


def test_what_is_never_due_and_what_cannot_be_read_has_no_deadline(store: Store) -> None:
    store.sync(nightly(finish_by="4h", enabled=False), an_at("once", finish_by="4h"), a_schedule("hourly"))
    store.plan(an_at("once", finish_by="4h"))
    assert success_by(store) is None
    assert success_by(store, "hourly") is None
    store.sync(nightly(finish_by="4h"))
    for stored in ('{"cron": 7}', '{"finish_by": "25:00"}', '{"finish_by": 60, "exclude": ["never"]}'):
        with store.begin() as connection:
            connection.execute(update(schedule).values(definition=stored))
        assert success_by(store) is None
