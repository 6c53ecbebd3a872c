"""A jump of the wall clock holds up planning on SQLite, until it is undone, or has lasted (DESIGN's table of failures; rule 13);
what it has put off starts then, and what is meant to start later is not pulled forward.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from daemon.definitions.schedule import Job, Schedule
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.recovery.registry import ReplicaEntry
from daemon.scheduling import trusted_time
from daemon.scheduling.plan_due import plan_due
from daemon.scheduling.trusted_time import JUMP, PATIENCE, ClockJumped, WallClock, by_trusted_time, start_put_off
from daemon.store.tables import replica as replicas
from daemon.store.tables import run, schedule
from daemon.telemetry.facts import Fact, Note
from lease.clock import boot_id, boottime
from lease.database.dialects import later, now
from tests.support.store import PAST, Store, a_schedule, an_at

HOUR = 3_600.0
START = 1_700_000_000.0


class AClock(WallClock):
    """One that keeps what it says."""

    def __init__(self, offset: float | None = None) -> None:
        self.said: list[Fact] = []
        super().__init__(self.said.append, offset)

    def at(self, boot: float, *, ahead: float = 0.0) -> bool:
        """Whether it is trusted so many seconds after the start, when it is ahead of what it was by so much."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trusted_time, "boottime", lambda: boot)
            return self.trusts(datetime.fromtimestamp(START + boot + ahead, UTC))


@pytest.mark.parametrize("ahead", [26 * HOUR, -3 * HOUR, JUMP, -JUMP])
def test_after_a_jump_nothing_is_planned_until_it_is_undone(ahead: float) -> None:
    clock = AClock()
    assert clock.at(0)
    assert not clock.at(1, ahead=ahead)
    (jumped,) = clock.said
    assert isinstance(jumped, Note)
    assert jumped.is_warning
    assert f"by {abs(ahead):.0f}s" in jumped.text
    assert not clock.at(2, ahead=ahead)
    assert clock.said == [jumped]  # it is told once
    assert clock.at(3)
    assert clock.at(4)
    assert clock.said == [jumped, Note("the wall clock is back at the earlier time: planning resumes")]


def test_a_clock_that_stays_where_it_jumped_to_is_believed_after_a_while() -> None:
    clock = AClock()
    clock.at(0)
    assert not clock.at(1, ahead=HOUR)
    assert not clock.at(1 + PATIENCE - 0.1, ahead=HOUR)
    assert clock.at(1 + PATIENCE, ahead=HOUR)
    assert clock.at(2 + PATIENCE, ahead=HOUR)
    assert not clock.at(3 + PATIENCE)  # and from there the way back is a jump


def test_a_clock_that_jumps_again_and_again_is_not_believed_sooner() -> None:
    clock = AClock()
    clock.at(0)
    for boot in range(1, 200):
        assert not clock.at(boot, ahead=HOUR * (1 + boot // 50))


def test_small_steps_and_slewing_are_followed() -> None:
    clock = AClock()
    assert all(clock.at(boot, ahead=boot * (JUMP - 1)) for boot in range(100))


def test_one_that_starts_takes_the_time_of_the_others_of_this_boot() -> None:
    assert not AClock(START).at(50, ahead=HOUR)
    assert AClock(START).at(50, ahead=3)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Store]:
    with Store(sqlite_url) as opened:
        yield opened


def test_that_time_is_told_by_the_one_that_began_last_in_this_boot(sqlite: Store) -> None:
    def known() -> float | None:
        return sqlite.do(registry.wall_clock_offset, boot_id(), 100)

    def register(holder: str, boot: str, start_time: int) -> None:
        identity = ProcessIdentity(4711, start_time)
        entry = ReplicaEntry(holder, "shop", "a host", identity.pid, identity.start_time, boot, "pid:[1]", "0.1")
        sqlite.do(registry.register, entry)

    assert known() is None
    register("earlier", boot_id(), 1_000)
    register("other", "another boot", 9_000_000)
    first = known()
    assert first is not None
    register("later", boot_id(), 1_001)
    started_by_a_clock_ahead = HOUR - (boottime() - 10.01)
    sqlite.shift(replicas, replicas.c.holder == "later", started_at=started_by_a_clock_ahead)
    later = known()
    assert later is not None
    assert later - first == pytest.approx(HOUR, abs=1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the start of a process is not known")
def test_one_that_is_entered_long_after_its_process_began_tells_the_time_of_now(sqlite: Store) -> None:
    """As one that started anew in its place, is embedded in a program, or waited for a database that was away."""
    ticks = os.sysconf("SC_CLK_TCK")
    long_ago = round(boottime() / 2 * ticks)
    entry = ReplicaEntry("anew", "shop", "a host", 4711, long_ago, boot_id(), "pid:[1]", "0.1")
    sqlite.do(registry.register, entry)
    known = sqlite.do(registry.wall_clock_offset, boot_id(), ticks)
    assert known == pytest.approx(time.time() - boottime(), abs=5)


@pytest.mark.parametrize(("looks", "planned"), [((False,), []), ((True, False), []), ((True, True), [PAST])])
def test_nothing_is_planned_by_a_time_that_is_not_trusted_or_no_more(
    sqlite: Store, looks: tuple[bool, ...], planned: Sequence[datetime]
) -> None:
    once, answers = an_at("once"), iter(looks)
    sqlite.sync(once)
    plan = by_trusted_time(partial(plan_due, application="shop", known={"once": once}), lambda _: next(answers))
    with nullcontext() if all(looks) else pytest.raises(ClockJumped):
        sqlite.do(plan)
    assert [row.scheduled_for for row in sqlite.runs()] == planned
    assert list(answers) == []


# What a clock that had jumped has put off


YEARS = 10 * 365 * 24 * HOUR


def started(store: Store, *schedules: Schedule) -> int:
    return store.do(start_put_off, "shop", schedules)


def a_run(store: Store, of: Schedule, *others: Schedule) -> int:
    """Plan a run of a schedule for an instant since it was synced, with others."""
    store.sync(of, *others)
    synced = datetime.now(UTC) - timedelta(minutes=1)
    store.change(schedule, schedule.c.name == of.name, changed_at=synced, synced_at=synced)
    store.shift(schedule, schedule.c.name == of.name, anchor=-3_601.0, planned_until=-10.0, next_due=-1.0)
    store.plan(of)
    (made,) = store.rows(select(run.c.id).where(run.c.schedule == of.name))
    return int(made.id)


def starts_in(store: Store, run_id: int, seconds: float) -> None:
    store.shift(run, run.c.id == run_id, available_at=seconds)


def waits_for_a_retry(store: Store, run_id: int, seconds: float) -> None:
    store.shift(run, run.c.id == run_id, available_at=seconds)
    store.change(run, run.c.id == run_id, attempt=1)


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
    store.change(run, run.c.id == planned, available_at=later(now(), 26 * HOUR))
    assert started(store, soon) == 0
