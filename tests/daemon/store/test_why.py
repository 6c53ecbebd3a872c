"""Each run that did not run, or waits, says why: in fields, and in one sentence (rule 13)."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Connection, update

import lease.statements
from daemon.definitions.application import Application
from daemon.definitions.triggers.trigger import Every
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import stage
from daemon.states import SkipReason
from daemon.store.statements.requests import WHEN_FED
from daemon.store.tables import replica, run, schedule
from daemon.store.views.causes import (
    Cancelled,
    Excluded,
    NothingUp,
    Overlapped,
    Paused,
    Replaced,
    Retired,
    StartWithinOver,
    WaitsForBackfill,
    WaitsForLock,
    WaitsForPlace,
    WaitsForReplica,
    WaitsForRetry,
    WaitsForRun,
    WaitsForSlot,
    WaitsForStart,
    WaitsForTurn,
    Why,
    sentence,
)
from daemon.store.views.history import read_run, read_runs
from daemon.store.views.overview import read_overview
from tests.support.entries import own_entry
from tests.support.store import Store, a_schedule, an_application, statements_on

POLL = a_schedule("poll", Every(20.0))
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def whys(store: Store, name: str = "poll") -> list[Why | None]:
    """Return why, the oldest run first."""
    return [line.why for line in reversed(store.do(read_runs, limit=100, schedule=name))]


def why(store: Store, run_id: int) -> Why | None:
    return store.do(read_run, run_id).run.why


def without_since(why: Why | None) -> Why | None:
    assert isinstance(why, WaitsForLock)
    assert why.since is not None
    return replace(why, since=None)


def overdue(store: Store, seconds: float, name: str = "poll") -> None:
    store.shift(schedule, schedule.c.name == name, planned_until=-seconds, anchor=-seconds, next_due=-seconds + 1)


def lives(store: Store, application: Application, holder: str = "h1") -> None:
    """Bring an application, and register a replica of it."""
    store.do(stage, application, by="a test")
    store.do(registry.register, own_entry(holder, application.name, application.digest))


def test_an_overlapping_instant_names_the_run_that_was_in_its_way_and_who_had_it(store: Store) -> None:
    store.sync(POLL)
    overdue(store, 30.0)
    store.plan(POLL)
    (claimed,) = store.claim("poll")
    store.due_again("poll")
    overdue(store, 50.0)
    store.shift(run, scheduled_for=-500.0)
    store.plan(POLL)
    assert whys(store) == [None, *[Overlapped(claimed.run_id, "label of h1")] * 2]


def test_an_instant_that_overlaps_one_of_the_same_moment_names_it_too(store: Store) -> None:
    store.sync(POLL)
    overdue(store, 50.0)
    store.plan(POLL)
    (first,) = store.runs(run.c.state == "pending")
    assert whys(store)[1:] == [Overlapped(first.id, None)]


def test_each_reason_of_a_skipped_run_has_a_cause(store: Store) -> None:
    store.sync(POLL)
    run_id = store.do(trigger, "shop", "poll", requested_by="ada")

    def skip(connection: Connection, reason: SkipReason) -> None:
        connection.execute(update(run).values(state="skipped", reason=reason, available_at=None, finished_at=NOON))

    for reason in get_args(SkipReason):
        store.do(skip, reason)
        assert why(store, run_id) is not None, f"{reason}: `_skipped` in daemon/store/views/why.py"


@pytest.mark.parametrize(("seen_ago", "away_for"), [(430.0, 430.0), (600.0, 510.0), (20.0, 510.0)])
def test_a_missed_instant_says_from_when_to_when_nothing_was_up(store: Store, seen_ago: float, away_for: float) -> None:
    """Since the last sign of life of a replica before it, or since its schedule was planned, if that was later."""
    skipping = a_schedule("poll", Every(100.0), catch_up="skip")
    store.sync(skipping)
    store.do(registry.register, own_entry("gone", "shop"))
    store.shift(replica, seen_at=-seen_ago)
    overdue(store, 510.0)
    store.plan(skipping)
    found = [one for one in whys(store) if isinstance(one, NothingUp)]
    assert len(found) >= 4
    assert {round((one.until - one.since).total_seconds() / 10) for one in found if one.since} == {away_for / 10}


def test_what_start_within_is_over_for_says_since_when(store: Store) -> None:
    hurried = a_schedule("poll", Every(100.0), start_within=30.0, overlap="queue")
    store.sync(hurried)
    overdue(store, 150.0)
    store.plan(hurried)
    late = whys(store)[0]
    assert isinstance(late, StartWithinOver)
    assert late.start_by == store.runs()[0].scheduled_for + timedelta(seconds=30)
    assert late.since is not None, "nothing was up"

    store.do(lambda c: c.execute(run.delete()))
    overdue(store, 110.0)
    store.plan(hurried)
    store.shift(run, start_by=-1.0)
    store.plan(hurried)
    waited = whys(store)[0]
    assert isinstance(waited, StartWithinOver)
    assert waited.since is None, "it was planned in time"


def test_a_run_that_waits_says_for_what(store: Store) -> None:
    queued = a_schedule("poll", Every(100.0), overlap="queue")
    locked, jittery = a_schedule("locked", lock="warehouse"), a_schedule("jittery")
    application = an_application(queued, locked, jittery)
    lives(store, application)
    first, second = (store.do(trigger, "shop", "poll", requested_by="ada") for _ in range(2))
    other, later = (store.do(trigger, "shop", name, requested_by="ada") for name in ("locked", "jittery"))
    assert [why(store, one) for one in (first, second)] == [WaitsForPlace(), WaitsForRun(first, None)]
    store.claim("poll")
    assert why(store, second) == WaitsForRun(first, "label of h1")

    store.do(lease.statements.grant, ["warehouse"], "h9", 60.0, label="backup on db-1")
    assert without_since(why(store, other)) == WaitsForLock("warehouse", "backup on db-1", None)
    store.shift(run, run.c.id == later, available_at=50.0)
    assert why(store, later) == WaitsForStart(store.run(later).available_at)
    store.do(lambda c: c.execute(update(run).where(run.c.id == later).values(attempt=1)))
    assert why(store, later) == WaitsForRetry(store.run(later).available_at)
    assert [one.why for one in store.do(read_overview).waiting if one.run_id == second] == [why(store, second)]

    store.do(cancel, second, requested_by="ada", why="wrong file")
    assert why(store, second) == Cancelled("ada", "wrong file")


def test_a_run_on_its_last_chance_waits_for_its_turn(store: Store) -> None:
    """Rule 16."""
    lives(store, an_application(a_schedule("poll")))
    run_id = store.do(trigger, "shop", "poll", requested_by="ada")
    store.do(lambda c: c.execute(update(run).where(run.c.id == run_id).values(abandoned=2)))
    assert why(store, run_id) == WaitsForTurn()


def columns() -> list[list[str]]:
    """Return the rows of the table of rule 14."""
    text = (Path(__file__).parents[3] / "docs" / "internals" / "rules.md").read_text()
    table = text.split("| `place_at` |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("row", columns(), ids=lambda row: "-".join(row[:2]))
def test_two_moments_say_for_what_a_pending_run_waits(store: Store, row: list[str]) -> None:
    """And only one that waits for a place may be claimed (rule 14)."""
    place_at, available_at, kinds, _ = row
    poll, replica_of = a_schedule("poll", overlap="queue"), an_application(a_schedule("poll", overlap="queue"))
    lives(store, replica_of)
    ahead, one = (store.do(trigger, "shop", "poll", requested_by="ada") for _ in range(2))
    store.shift(run, run.c.id == ahead, available_at=3600.0)
    moments = {
        "none": None,
        "past": NOON - timedelta(days=99),
        "9999-01-01": WHEN_FED,
        "later": WHEN_FED - timedelta(1),
    }
    values = {"place_at": moments[place_at], "available_at": moments[available_at]}
    of_backfill = {"backfill": 7} if "backfill" in kinds else {}
    store.do(lambda connection: connection.execute(update(run).where(run.c.id == one).values(**values, **of_backfill)))
    found = why(store, one)
    assert found is not None
    assert f"`{found.kind}`" in kinds
    assert [each.run_id for each in store.claim(poll.name)] == (
        [one] if (place_at, available_at) == ("none", "past") else []
    )


def test_a_run_behind_another_of_its_lock_names_that_run(store: Store) -> None:
    one, two = a_schedule("one", lock="warehouse"), a_schedule("two", lock="warehouse")
    lives(store, an_application(one, two))
    ahead, behind = (store.do(trigger, "shop", name, requested_by="ada") for name in ("one", "two"))
    store.claim("one")
    assert without_since(why(store, behind)) == WaitsForLock("warehouse", "label of h1", ahead)


def test_a_run_waits_for_a_slot_only_while_all_are_taken(store: Store) -> None:
    api = {"name": "api", "slots": 2}
    one, two = a_schedule("one", lock=api), a_schedule("two", lock=api, priority="high")
    lives(store, an_application(one, two))
    first, second = (store.do(trigger, "shop", name, requested_by="ada") for name in ("one", "two"))
    store.claim("one")
    assert why(store, second) == WaitsForPlace(), "one slot is free"
    store.do(lease.statements.grant, ["api", "api/2"], "h9", 60.0, label="another application")
    assert why(store, second) == WaitsForSlot("api", 2)
    assert why(store, first) is None


def test_a_run_names_the_run_of_higher_priority_that_goes_first(store: Store) -> None:
    api = {"name": "api", "slots": 2}
    low, normal, high, cleanup, urgent = schedules = [
        *(a_schedule(name, priority=name) for name in ("low", "normal", "high")),
        *(a_schedule(name, priority=priority, lock=api) for name, priority in (("cleanup", "low"), ("urgent", "high"))),
    ]
    lives(store, an_application(*schedules))
    runs = {one.name: store.do(trigger, "shop", one.name, requested_by="ada") for one in (low, normal, high)}
    shared = {one.name: store.do(trigger, "shop", one.name, requested_by="ada") for one in (cleanup, urgent)}
    first = WaitsForPlace(runs["high"], "high")
    assert [why(store, one) for one in runs.values()] == [first, first, WaitsForPlace()]
    assert why(store, shared["cleanup"]) == first, "a replica has room for one of both, and a slot is free"
    store.do(lease.statements.grant, ["api", "api/2"], "h9", 60.0)
    assert why(store, shared["cleanup"]) == WaitsForSlot("api", 2, shared["urgent"], "urgent")

    store.shift(run, run.c.id == runs["normal"], available_at=-3700.0)
    assert why(store, runs["normal"]) == WaitsForPlace(), "it has waited for longer than an hour of priority"
    assert why(store, runs["low"]) == WaitsForPlace(runs["normal"], "normal")
    store.do(lease.statements.grant, [store.run(runs["normal"]).lease_name], "h9", 60.0)
    store.claim("high")
    assert why(store, runs["low"]) == WaitsForPlace(), "those of higher priority cannot start"


def test_any_number_of_runs_that_wait_is_read_in_as_many_statements(store: Store) -> None:
    lives(store, an_application(a_schedule("poll", overlap="allow"), a_schedule("urgent", priority="high")))
    numbers = {}
    for waiting in (1, 20):
        store.do(trigger, "shop", "urgent", requested_by="ada")
        for _ in range(waiting):
            store.do(trigger, "shop", "poll", requested_by="ada")
        with store.begin() as connection, statements_on(connection) as asked:
            read_runs(connection, limit=100)
        numbers[waiting] = len(asked)
    assert numbers[20] == numbers[1]


def test_a_run_whose_definition_no_living_replica_has_waits_for_a_replica_of_its_generation(store: Store) -> None:
    old = an_application(a_schedule("poll"))
    new = an_application(a_schedule("poll", jobs=("other",)))
    lives(store, old, "h1")
    run_id = store.do(trigger, "shop", "poll", requested_by="ada")
    assert why(store, run_id) == WaitsForPlace()
    store.do(stage, new, by="a test")
    store.shift(replica, seen_at=-100.0)
    lives(store, new, "h2")
    assert why(store, run_id) == WaitsForReplica(1)
    store.do(lambda c: c.execute(update(run).values(digest="?")))
    assert why(store, run_id) == WaitsForReplica(None)
    store.shift(replica, seen_at=-100.0)
    assert why(store, run_id) == WaitsForReplica(None, others=False)


SENTENCES: dict[Why, str] = {
    Overlapped(12, "web-1:4711"): "overlap: run 12 was active (web-1:4711 had it)",
    Overlapped(None, None): "overlap: an earlier run was active",
    NothingUp(
        NOON, NOON + timedelta(hours=1)
    ): "missed: no replica was running from 2026-07-01 12:00:00Z to 2026-07-01 13:00:00Z",
    NothingUp(None, NOON): "missed: no replica was running to 2026-07-01 12:00:00Z",
    StartWithinOver(NOON, None, NOON): "missed: start_within ended at 2026-07-01 12:00:00Z",
    StartWithinOver(
        NOON, NOON, NOON
    ): "missed: start_within ended at 2026-07-01 12:00:00Z: no replica was running from "
    "2026-07-01 12:00:00Z to 2026-07-01 12:00:00Z",
    Paused("ann@web-1", NOON, NOON + timedelta(hours=2), "the bank is closed"): (
        "paused by ann@web-1 since 2026-07-01 12:00:00Z until 2026-07-01 14:00:00Z: the bank is closed"
    ),
    Paused("ann@web-1", NOON): "paused by ann@web-1 since 2026-07-01 12:00:00Z",
    Paused(): "paused",
    Excluded(): "excluded: its schedule does not run on that day",
    Cancelled("ada", "wrong file"): "cancelled by ada: wrong file",
    Cancelled(None, None): "cancelled by an unknown user",
    Replaced(12): "replaced by run 12",
    Replaced(None): "replaced by a newer run",
    Retired("generation 2", NOON): (
        "its schedule was retired by generation 2 at 2026-07-01 12:00:00Z, and no replica has it anymore"
    ),
    Retired(): "its schedule was retired, and no replica has it anymore",
    WaitsForRun(12, "web-1:4711"): "waits for run 12 (web-1:4711 has it)",
    WaitsForRetry(NOON): "waits for the retry at 2026-07-01 12:00:00Z",
    WaitsForStart(NOON): "waits for its start at 2026-07-01 12:00:00Z",
    WaitsForLock("x", "web-1:4711", 12): 'waits for the lock "x", held by web-1:4711 for run 12',
    WaitsForLock("x", None, None): 'waits for the lock "x", held by an unknown client',
    WaitsForSlot("api", 3): 'waits for one of the 3 slots of the lock "api"',
    WaitsForReplica(3): "waits for a replica of generation 3",
    WaitsForReplica(3, "generation 4", NOON): (
        "waits for a replica of generation 3; its schedule was retired by generation 4 at 2026-07-01 12:00:00Z"
    ),
    WaitsForReplica(3, others=False): "no replica is running; start one: leased run FILE",
    WaitsForReplica(None): "waits for a replica with its definition",
    WaitsForSlot("api", 3, 12, "urgent"): (
        'waits for one of the 3 slots of the lock "api"; run 12 of urgent goes first: its priority is higher'
    ),
    WaitsForPlace(): "waits for free capacity on a replica",
    WaitsForPlace(12, "urgent"): (
        "waits for free capacity on a replica; run 12 of urgent goes first: its priority is higher"
    ),
    WaitsForTurn(): "was abandoned 2 times in a row: waits until no other such run is running there",
    WaitsForBackfill(3): "waits for its turn in backfill 3",
}


def test_the_docs_list_each_cause_with_its_fields() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "command.md").read_text()
    rows = [
        line.split("|")[1:3]
        for line in page.split("## leased runs")[1].split("## ")[0].splitlines()
        if line.startswith("| `") and "`kind`" not in line
    ]
    listed = {kind.strip(" `"): tuple(re.findall(r"`(\w+)`", named)) for kind, named in rows}
    assert listed == {one.kind: tuple(field.name for field in fields(one) if field.name != "kind") for one in SENTENCES}


def test_each_cause_has_a_sentence_and_a_kind_of_its_own() -> None:
    assert {cause: sentence(cause) for cause in SENTENCES} == SENTENCES
    assert not any("2026" in sentence(cause, lambda _: "then") for cause in SENTENCES), "instants are as asked"
    assert {type(cause) for cause in SENTENCES} == set(get_args(Why))
    assert len({cause.kind for cause in SENTENCES}) == len(get_args(Why))
