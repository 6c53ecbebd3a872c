"""A jump of the wall clock holds up planning on SQLite, until it is undone, or has lasted (DESIGN's table of failures; rule 13)."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial

import pytest

from daemon.jobs.processes.identity import ProcessIdentity
from daemon.recovery import registry
from daemon.recovery.registry import ReplicaEntry
from daemon.scheduling import trusted_time
from daemon.scheduling.plan_due import plan_due
from daemon.scheduling.trusted_time import JUMP, PATIENCE, ClockJumped, WallClock, by_trusted_time
from daemon.store.tables import replica as replicas
from daemon.telemetry.facts import Fact, Note
from lease.clock import boot_id, boottime
from tests.support.store import PAST, Store, an_at

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


def test_a_clock_that_goes_on_is_trusted() -> None:
    clock = AClock()
    assert all(clock.at(boot) for boot in (0, 1, 500, 100_000))
    assert clock.said == []


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
def store(sqlite_url: str) -> Iterator[Store]:
    with Store(sqlite_url) as opened:
        yield opened


def test_that_time_is_told_by_the_one_that_began_last_in_this_boot(store: Store) -> None:
    def known() -> float | None:
        return store.do(registry.wall_clock_offset, boot_id(), 100)

    def register(holder: str, boot: str, start_time: int) -> None:
        identity = ProcessIdentity(4711, start_time)
        entry = ReplicaEntry(holder, "shop", "a host", identity.pid, identity.start_time, boot, "pid:[1]", "0.1")
        store.do(registry.register, entry)

    assert known() is None
    register("earlier", boot_id(), 1_000)
    register("other", "another boot", 9_000_000)
    first = known()
    assert first is not None
    register("later", boot_id(), 1_001)
    started_by_a_clock_ahead = HOUR - (boottime() - 10.01)
    store.shift(replicas, replicas.c.holder == "later", started_at=started_by_a_clock_ahead)
    later = known()
    assert later is not None
    assert later - first == pytest.approx(HOUR, abs=1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the start of a process is not known")
def test_one_that_is_entered_long_after_its_process_began_tells_the_time_of_now(store: Store) -> None:
    """As one that started anew in its place, is embedded in a program, or waited for a database that was away."""
    ticks = os.sysconf("SC_CLK_TCK")
    long_ago = round(boottime() / 2 * ticks)
    entry = ReplicaEntry("anew", "shop", "a host", 4711, long_ago, boot_id(), "pid:[1]", "0.1")
    store.do(registry.register, entry)
    known = store.do(registry.wall_clock_offset, boot_id(), ticks)
    assert known == pytest.approx(time.time() - boottime(), abs=5)


@pytest.mark.parametrize(("looks", "planned"), [((False,), []), ((True, False), []), ((True, True), [PAST])])
def test_nothing_is_planned_by_a_time_that_is_not_trusted_or_no_more(
    store: Store, looks: tuple[bool, ...], planned: Sequence[datetime]
) -> None:
    once, answers = an_at("once"), iter(looks)
    store.sync(once)
    plan = by_trusted_time(partial(plan_due, application="shop", known={"once": once}), lambda _: next(answers))
    with nullcontext() if all(looks) else pytest.raises(ClockJumped):
        store.do(plan)
    assert [row.scheduled_for for row in store.runs()] == planned
    assert list(answers) == []
