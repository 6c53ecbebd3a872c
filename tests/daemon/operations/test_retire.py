"""The retirement of an application that is gone for good."""

import dataclasses
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from daemon.errors import CannotAct, NotFound
from daemon.operations.retire import RetiredApplication, retire
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import bring
from daemon.store.tables import generation, schedule
from daemon.store.tables import replica as replicas
from daemon.store.views.acting import read_activity
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from tests.support.entries import own_entry
from tests.support.store import Store, a_schedule, an_application

OFFICE = an_application(a_schedule("nightly", catch_up="all"), a_schedule("weekly"))
A_MINUTE_AGO = -61.0


@pytest.fixture
def office(database_url: str) -> Iterator[Store]:
    """One with an application of which a replica is recorded as running."""
    with Store(database_url) as store:
        entry = dataclasses.replace(own_entry("h1", OFFICE.name, OFFICE.digest), host="web1", pid=7)
        store.do(registry.register, entry)
        store.do(lambda connection: bring(connection, OFFICE, by="web1:7", holder="h1"))
        yield store


def away(store: Store) -> None:
    store.shift(replicas, seen_at=A_MINUTE_AGO)


def retired(store: Store) -> RetiredApplication:
    return store.do(retire, OFFICE.name, requested_by="ann", why="moved")


def test_what_waits_is_cancelled_what_was_due_is_planned_and_no_problem_is_left(office: Store) -> None:
    away(office)
    waiting = office.do(trigger, OFFICE.name, "weekly", requested_by="a test")
    office.shift(schedule, schedule.c.name == "nightly", planned_until=-7300.0, anchor=-7300.0, next_due=-3700.0)
    assert {one.kind for one in problems(office.do(read_overview))} >= {"no replica"}
    done = retired(office)
    assert (set(done.schedules), done.already) == ({"nightly", "weekly"}, False)
    runs = office.runs()
    assert {(run.state, run.reason) for run in runs} == {("cancelled", "retired")}
    assert waiting in {run.id for run in runs}
    assert len(runs) == done.cancelled > 1
    assert {row.retired_by for row in office.schedules().values()} == {"ann"}
    assert office.rows(select(generation).where(generation.c.rules)) == []
    assert {one.kind for one in problems(office.do(read_overview))} <= {"no schedules"}
    (act,) = office.do(read_activity, limit=9, what="retire")
    assert (act.acted_by, act.why) == ("ann", "moved")
    assert act.effect == f"retired: 2 schedules; cancelled: {done.cancelled} runs"
    again = retired(office)
    assert again == RetiredApplication(OFFICE.name, (), 0, already=True)
    assert len(office.do(read_activity, limit=9, what="retire")) == 1


def test_it_is_refused_while_a_replica_lives(office: Store) -> None:
    with pytest.raises(CannotAct, match=r"web1:7 is running, or was seen in the last minute; stop its replicas first"):
        retired(office)
    assert {row.retired_at for row in office.schedules().values()} == {None}
    office.do(retire, OFFICE.name, requested_by="ann", dead={"h1"})


def test_it_is_refused_while_a_run_counts_as_running(office: Store) -> None:
    away(office)
    office.do(trigger, OFFICE.name, "weekly", requested_by="a test")
    grant = office.claim("weekly")[0].grant
    with pytest.raises(CannotAct, match="run 1 counts as running until its lease expires"):
        retired(office)
    office.go_stale(grant)
    assert retired(office).cancelled == 1


def test_one_that_is_run_again_is_a_deploy(office: Store) -> None:
    away(office)
    retired(office)
    office.do(lambda connection: bring(connection, OFFICE, by="web1:8", holder="h2"))
    assert {row.retired_at for row in office.schedules().values()} == {None}
    ((number,),) = office.rows(select(generation.c.number).where(generation.c.rules))
    assert number == 1


def test_one_that_is_not_there_is_refused(office: Store) -> None:
    with pytest.raises(NotFound, match='did you mean "shop"'):
        office.do(retire, "shp", requested_by="ann")
