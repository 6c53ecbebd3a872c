"""A schedule that is due on request only, in the database: nothing plans it, and what is requested of it runs."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every, OnRequest
from daemon.operations.pause import pause, resume
from daemon.operations.selection import Selection
from daemon.operations.trigger import trigger
from daemon.store.tables import run, schedule
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from tests.support.store import Store, a_schedule

RESIZE = a_schedule("resize", OnRequest(), params={"picture": ""})
HOURLY = a_schedule("resize", Every(3600.0), params={"picture": ""})
ONE = Selection("shop", "resize")
DAY = timedelta(days=1)


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(RESIZE)
    return store


def requested(store: Store, picture: str = "a.png", **more: Any) -> int:
    run_id: int = store.do(trigger, "shop", "resize", requested_by="ada", params={"picture": picture}, **more)
    return run_id


def away(store: Store, days: float) -> None:
    """Nothing was up for so long."""
    store.shift(schedule, **dict.fromkeys(("planned_until", "anchor", "created_at"), -86_400 * days))


def with_definition(store: Store, change: dict[str, Any]) -> None:
    """Store another definition of it, as another release would."""
    ((stored,),) = store.rows(select(schedule.c.definition))
    made = {name: value for name, value in {**json.loads(stored), **change}.items() if value is not None}
    store.change(schedule, definition=json.dumps(made), digest="of another release")


def test_nothing_of_it_is_ever_planned(store: Store) -> None:
    row = store.schedules()["resize"]
    assert (row.next_due, row.trigger) == (None, "on request")
    away(store, 400)
    assert not store.plan(RESIZE).more
    assert store.runs() == []


def test_a_pause_skips_nothing_and_holds_up_no_request(store: Store) -> None:
    (paused,) = store.do(pause, ONE, requested_by="ann", until=DAY)
    assert (paused.done, paused.timing) == ("paused", "on request")
    run_id = requested(store)
    assert [one.run_id for one in store.claim("resize")] == [run_id]
    store.plan(RESIZE)
    (resumed,) = store.do(resume, ONE, requested_by="ann")
    assert (resumed.resumed, resumed.passed, resumed.next_due, resumed.timing) == (True, 0, None, "on request")
    assert [row.state for row in store.runs()] == ["running"]


@pytest.mark.on_both
def test_it_is_no_problem_that_it_is_never_due_but_one_that_a_run_of_it_is_late(store: Store) -> None:
    def kinds() -> set[str]:
        return {problem.kind for problem in store.do(lambda connection: problems(read_overview(connection)))}

    away(store, 400)
    assert kinds() == {"no replica"}
    store.shift(run, run.c.id == requested(store), available_at=-120.0, finish_by=-60.0)
    assert kinds() == {"no replica", "late", "late to finish"}


def test_a_release_that_does_not_know_it_plans_nothing_and_places_no_request(store: Store) -> None:
    """To it the definition has no timing; this release goes on beside it."""
    older: Schedule = a_schedule("resize", params={"picture": ""})
    run_id = requested(store, at="1h")
    store.shift(run, run.c.id == run_id, place_at=-3600.0)
    with_definition(store, {"on_request": None})
    report = store.plan(older)
    assert "it does not say when it is due" in report.unreadable["resize"]
    assert store.run(run_id).place_at is not None
    with_definition(store, {"on_request": True})
    assert store.plan(older).unreadable == {}
    assert store.run(run_id).place_at is None
