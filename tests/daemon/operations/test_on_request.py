"""A schedule that is due on request only, in the database: nothing plans it, and what is requested of it runs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from daemon.audit import check
from daemon.audit.history import history, read_tables
from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every, OnRequest
from daemon.errors import CannotAct
from daemon.operations.backfill import backfill, foresee_backfill
from daemon.operations.backfill_plan import Wanted
from daemon.operations.deadlines import with_deadlines
from daemon.operations.pause import pause, resume
from daemon.operations.selection import Selection
from daemon.operations.trigger import UnfitParameter, trigger
from daemon.store.tables import act, run, schedule
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.conformance

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
    store.do(lambda c: c.execute(update(schedule).values(definition=json.dumps(made), digest="of another release")))


def test_nothing_of_it_is_ever_planned(store: Store) -> None:
    row = store.schedules()["resize"]
    assert (row.next_due, row.trigger) == (None, "on request")
    away(store, 400)
    assert not store.plan(RESIZE).more
    assert store.runs() == []


def test_what_is_requested_runs_with_its_parameters_one_after_the_other(store: Store) -> None:
    first, second = requested(store, "a.png"), requested(store, "b.png")
    (claimed,) = store.claim("resize")
    assert (claimed.run_id, json.loads(store.run(first).params)) == (first, {"picture": "a.png"})
    assert store.claim("resize") == []
    store.do(finish_run, claimed, "succeeded")
    assert [one.run_id for one in store.claim("resize")] == [second]
    with pytest.raises(UnfitParameter, match='"pictures"'):
        store.do(trigger, "shop", "resize", requested_by="ada", params={"pictures": "a.png"})


def test_those_that_may_overlap_start_all_at_once_and_none_is_dropped(store: Store) -> None:
    store.sync(a_schedule("resize", OnRequest(), params={"picture": ""}, overlap="allow"))
    wanted = [requested(store, f"{number}.png") for number in range(20)]
    assert sorted(one.run_id for one in store.claim("resize", limit=100)) == wanted


def test_once_it_has_a_timing_that_counts_from_the_change(store: Store) -> None:
    """Rule 13."""
    away(store, 400)
    store.sync(HOURLY)
    row = store.schedules()["resize"]
    assert timedelta(0) < row.next_due - row.changed_at <= timedelta(hours=1)
    assert store.planned(HOURLY) == {}


def test_a_pause_skips_nothing_and_holds_up_no_request(store: Store) -> None:
    (paused,) = store.do(pause, ONE, requested_by="ann", until=DAY)
    assert (paused.done, paused.timing) == ("paused", "on request")
    run_id = requested(store)
    assert [one.run_id for one in store.claim("resize")] == [run_id]
    store.plan(RESIZE)
    (resumed,) = store.do(resume, ONE, requested_by="ann")
    assert (resumed.resumed, resumed.passed, resumed.next_due, resumed.timing) == (True, 0, None, "on request")
    assert [row.state for row in store.runs()] == ["running"]


def test_a_backfill_of_it_is_refused_and_writes_nothing(store: Store) -> None:
    requested(store)
    before = store.everything()
    now = datetime.now(UTC)
    wanted = Wanted("shop", "resize", now - DAY, now)
    sentence = '"resize" runs only on request, so it has no scheduled times; `leased trigger resize` runs it'
    with pytest.raises(CannotAct, match=sentence):
        store.do(foresee_backfill, wanted)
    with pytest.raises(CannotAct, match=sentence):
        store.do(backfill, wanted, requested_by="ann")
    assert store.everything() == before
    assert store.rows(select(act.c.act)) == [("trigger",)]


def test_its_runs_have_a_deadline_and_without_a_run_there_is_none(store: Store) -> None:
    store.sync(a_schedule("resize", OnRequest(), params={"picture": ""}, finish_by="4h"))

    def success_by(connection: Connection) -> datetime | None:
        overview = read_overview(connection)
        (line,) = with_deadlines(connection, overview, overview.schedules)
        return line.success_by

    assert store.do(success_by) is None
    row = store.run(requested(store))
    assert store.do(success_by) == row.finish_by == row.scheduled_for + timedelta(hours=4)


@pytest.mark.on_both
def test_it_is_no_problem_that_it_is_never_due_but_one_that_a_run_of_it_is_late(store: Store) -> None:
    def kinds() -> set[str]:
        return {problem.kind for problem in store.do(lambda connection: problems(read_overview(connection)))}

    away(store, 400)
    assert kinds() == {"no replica"}
    store.shift(run, run.c.id == requested(store), available_at=-120.0, finish_by=-60.0)
    assert kinds() == {"no replica", "late", "late to finish"}


def test_the_audit_expects_no_instants_of_it(store: Store) -> None:
    away(store, 400)
    requested(store)
    (claimed,) = store.claim("resize")
    store.do(finish_run, claimed, "succeeded")
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        found = [str(violation) for violation in check(history(read_tables(connection)).facts, timedelta())]
    assert [one for one in found if not one.endswith('has succeeded, but its job "work" has not')] == []


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
