"""The instants that were due by the definitions that ruled, as the witness saw these come."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from daemon.definitions.schedule import Schedule
from daemon.operations.trigger import trigger
from daemon.scheduling.deploys.rollout import adopt
from daemon.store.tables import run
from lease.database.address import parse_address
from tests.chaos.history import Clocks, witnessed
from tests.checker.facts import RunRedefined
from tests.support.store import Store, a_schedule, an_application

from .rulings import Ruling, due, rulings

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TENS, SIXES = (NOON, 10.0), (NOON, 6.0)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("ruled", "instants"),
    [
        pytest.param([(1, 0, TENS)], [(10, True), (20, True), (30, True), (40, True)], id="from when it came"),
        pytest.param(
            [(-1, -1, TENS), (25, 18, SIXES)],
            [(0, True), (10, True), (20, False), (24, False), (30, True), (36, True)],
            id="after a change the new timing, and about its time either",
        ),
        pytest.param(
            [(-1, -1, TENS), (11, 11, None), (33, 29, TENS)],
            [(0, True), (10, True), (30, False), (40, True)],
            id="none while it is retired",
        ),
        pytest.param(
            [(-1, -1, TENS), (11, 9, TENS)],
            [(0, True), (10, True), (20, True), (30, True), (40, True)],
            id="the same after a change of anything but the timing",
        ),
    ],
)
def test_what_was_due_and_whether_it_was_for_certain(ruled: Any, instants: list[tuple[float, bool]]) -> None:
    found = due("nightly", [Ruling(at(written), at(since), timing) for written, since, timing in ruled], at(40))
    assert [((one.at - NOON).total_seconds(), one.certain) for one in found] == instants


def test_the_witness_sees_each_definition_come_and_go(watched_url: str) -> None:
    def every(seconds: float) -> Schedule:
        return a_schedule().model_copy(update={"every": seconds, "starts": NOON})

    before = datetime.now(UTC)
    with Store(watched_url) as store:
        for definitions in ([every(10)], [every(10)], [every(6)], [], [every(6)]):
            store.sync(*definitions)
    with create_engine(parse_address(watched_url), poolclass=NullPool).connect() as connection:
        seen = rulings(connection, Clocks.now())["sync"]
    assert [one.timing for one in seen] == [TENS, SIXES, None, SIXES]
    assert all(before - timedelta(seconds=1) < one.since <= one.at for one in seen)


def test_the_witness_sees_an_adoption_and_any_other_change_of_a_runs_definition(watched_url: str) -> None:
    old, new = a_schedule(jobs=("old",)), a_schedule(jobs=("new",))
    with Store(watched_url) as store:
        store.sync(old)
        run_id = store.do(trigger, "shop", "sync", requested_by="ada")
        store.sync(new)
        store.do(adopt, an_application(new), "h1", [old.run_digest()])
        assert [row.digest for row in store.rows(select(run.c.digest))] == [new.run_digest()]
        store.do(lambda connection: connection.execute(text("UPDATE run SET digest = 'another'")))
    with create_engine(parse_address(watched_url), poolclass=NullPool).connect() as connection:
        told = [fact for fact in witnessed(connection, Clocks.now()) if isinstance(fact, RunRedefined)]
    assert [(fact.run, fact.earlier, fact.digest, fact.adopted) for fact in told] == [
        (run_id, old.run_digest(), new.run_digest(), True),
        (run_id, new.run_digest(), "another", False),
    ]
