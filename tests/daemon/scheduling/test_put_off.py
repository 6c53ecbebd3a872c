"""What a clock that had jumped has put off starts; what is meant to start later is not pulled forward."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from daemon.definitions.schedule import Job, Schedule
from daemon.operations.trigger import trigger
from daemon.scheduling.trusted_time import start_put_off
from daemon.store.tables import run, schedule
from lease.database.dialects import later, now
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.conformance
HOUR = 3600.0
YEARS = 10 * 365 * 24 * HOUR


def started(store: Store, *schedules: Schedule) -> int:
    return store.do(start_put_off, "shop", schedules)


def a_run(store: Store, of: Schedule, *others: Schedule) -> int:
    """Plan a run of a schedule for an instant since it was synced, with others."""
    store.sync(of, *others)
    synced = datetime.now(UTC) - timedelta(minutes=1)
    earlier = update(schedule).where(schedule.c.name == of.name).values(changed_at=synced, synced_at=synced)
    store.do(lambda connection: connection.execute(earlier))
    store.shift(schedule, schedule.c.name == of.name, anchor=-3_601.0, planned_until=-10.0, next_due=-1.0)
    store.plan(of)
    (made,) = store.rows(select(run.c.id).where(run.c.schedule == of.name))
    return int(made.id)


def starts_in(store: Store, run_id: int, seconds: float) -> None:
    store.shift(run, run.c.id == run_id, available_at=seconds)


def waits_for_a_retry(store: Store, run_id: int, seconds: float) -> None:
    store.shift(run, run.c.id == run_id, available_at=seconds)
    store.do(lambda connection: connection.execute(update(run).where(run.c.id == run_id).values(attempt=1)))


@pytest.mark.parametrize("priority", ["normal", "high"])
def test_what_is_meant_to_start_later_does(store: Store, priority: str) -> None:
    spread = a_schedule("spread", jitter=YEARS, priority=priority)
    patient = a_schedule("patient", priority=priority).model_copy(
        update={"jobs": (Job(name="work", command="true", backoff=3 * HOUR),)}
    )
    planned, failed = a_run(store, spread, patient), a_run(store, patient, spread)
    waits_for_a_retry(store, failed, 3 * HOUR - 1.0)
    requested = store.do(trigger, "shop", "patient", requested_by="ada", at="3h")
    before = [store.run(run_id) for run_id in (planned, failed, requested)]
    assert started(store, spread, patient) == 0
    assert [store.run(run_id) for run_id in (planned, failed, requested)] == before


@pytest.mark.parametrize("priority", ["normal", "high"])
def test_what_was_put_off_starts_where_the_machines_clock_is_that_of_the_database(store: Store, priority: str) -> None:
    """No clock of PostgreSQL's is doubted: a step back of it is as long as the waits are longer then."""
    soon, spread = a_schedule("soon", priority=priority), a_schedule("spread", jitter=3 * HOUR, priority=priority)
    follower, failed = a_run(store, soon, spread), a_run(store, spread, soon)
    starts_in(store, follower, 1.5 * HOUR)
    waits_for_a_retry(store, failed, 1.5 * HOUR)
    assert store.do(start_put_off, "bank", [soon, spread]) == 0, "those of another application"
    assert started(store, soon, spread) == (2 if store.sqlite else 0)
    assert len(store.claim("soon", "spread")) == (2 if store.sqlite else 0)


def test_a_due_instant_is_put_off_if_it_starts_beyond_its_jitter(store: Store) -> None:
    spread = a_schedule("spread", jitter=3 * HOUR)
    planned = a_run(store, spread)
    starts_in(store, planned, 2.5 * HOUR)
    assert started(store, spread) == 0
    starts_in(store, planned, 3.5 * HOUR)
    assert started(store, spread) == (1 if store.sqlite else 0)


def test_the_jitter_that_it_was_planned_by_counts_and_not_that_of_a_change_since(store: Store) -> None:
    before = a_schedule("spread", jitter=YEARS)
    planned = a_run(store, before)
    after = a_schedule("spread")
    assert started(store, after) == 0, "a replica with the new definitions, which are not in the database yet"
    store.sync(after)
    assert started(store, after) == 0
    assert store.run(planned).state == "pending"


def test_runs_of_other_definitions_are_left_to_those_who_have_them(store: Store) -> None:
    planned = a_run(store, a_schedule("soon"))
    starts_in(store, planned, 26 * HOUR)
    assert started(store, a_schedule("soon", jobs=("other",))) == 0
    assert started(store) == 0


def test_what_is_at_work_is_left_alone(store: Store) -> None:
    soon = a_schedule("soon")
    planned = a_run(store, soon)
    store.claim("soon")
    store.do(
        lambda connection: connection.execute(
            update(run).where(run.c.id == planned).values(available_at=later(now(), 26 * HOUR))
        )
    )
    assert started(store, soon) == 0
