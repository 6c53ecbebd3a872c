"""What the probes answer: which loop is alive, and each reason for which a replica is not ready; and its contact with the
database, of which each change is reported once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from daemon.service.replica import LOOP_LIMIT, DatabaseContact, Readiness
from daemon.telemetry.facts import DatabaseAway, DatabaseBack, Fact, LoopBlocked
from lease.errors import StoreUnavailable
from lease.testing import ManualClock
from lease.timing import LeaseTiming


@dataclass
class Parts:
    """A replica, its client and its thread of async jobs, as readiness sees them. All is well with them."""

    running: bool = True
    draining: bool = False
    contact: DatabaseContact = field(default_factory=lambda: DatabaseContact(lambda _: None))
    runs: Any = field(default_factory=lambda: SimpleNamespace(lost=2, refused=3))
    timing: LeaseTiming = field(default_factory=LeaseTiming)
    loop: float = 0.0
    heartbeat: float = 0.0
    tasks: float = 0.0
    blocked: LoopBlocked | None = None

    def age(self) -> float:
        return self.loop

    def heartbeat_age(self) -> float:
        return self.heartbeat

    def readiness(self) -> Readiness:
        tasks = SimpleNamespace(age=lambda: self.tasks, blocked=lambda: self.blocked)
        self.context = SimpleNamespace(client=self, tasks=tasks)
        return Readiness(cast("Any", self))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr("daemon.service.replica.monotonic", clock)
    return clock


def lost(parts: Parts) -> None:
    async def fail() -> None:
        raise StoreUnavailable("connection refused")

    asyncio.run(parts.contact.during(fail))


@pytest.mark.parametrize(
    ("breaking", "problem"),
    [
        (
            lambda parts: setattr(parts, "draining", True),
            ("draining", "the replica is stopping and claims no more runs"),
        ),
        (lambda parts: setattr(parts, "running", False), ("starting", "the replica is still starting")),
        (lost, ("database", "the database has been unreachable for 7s")),
        (lambda parts: setattr(parts, "heartbeat", 5.6), ("heartbeat", "the heartbeat has not run for 6s")),
        (
            lambda parts: setattr(parts, "tasks", LOOP_LIMIT + 1),
            ("tasks", "an async job has blocked the event loop of async jobs for 31s"),
        ),
    ],
    ids=["draining", "starting", "database", "heartbeat", "tasks"],
)
def test_each_thing_that_is_wrong_is_a_sentence_of_its_own(
    breaking: Callable[[Parts], None], problem: tuple[str, str], clock: ManualClock
) -> None:
    parts = Parts()
    breaking(parts)
    clock.advance(7)
    assert list(parts.readiness().problems().items()) == [problem]


def test_a_heartbeat_may_be_two_renewals_old_and_a_loop_of_tasks_half_a_minute() -> None:
    parts = Parts(heartbeat=LeaseTiming().renew_every * 2, tasks=LOOP_LIMIT)
    assert parts.readiness().problems() == {}


@pytest.mark.parametrize(
    ("loop", "heartbeat", "alive"),
    [
        (LOOP_LIMIT, 10.0, {"replica": True, "heartbeat": True}),
        (LOOP_LIMIT + 0.1, 0.0, {"replica": False, "heartbeat": True}),
        (0.0, 10.1, {"replica": True, "heartbeat": False}),
    ],
)
def test_a_loop_that_has_not_come_round_in_time_is_dead(loop: float, heartbeat: float, alive: dict[str, bool]) -> None:
    """The heartbeat is dead when its leases can be trusted no more."""
    loops = Parts(loop=loop, heartbeat=heartbeat).readiness().loops()
    assert {name: beat.alive for name, beat in loops.items()} == alive


def test_a_replica_that_does_not_come_up_is_dead_after_a_while(clock: ManualClock) -> None:
    readiness = Parts(running=False, loop=1e9).readiness()
    assert readiness.loops()["replica"].alive
    clock.advance(LOOP_LIMIT + 1)
    assert not readiness.loops()["replica"].alive


def test_losses_and_refusals_are_counted() -> None:
    assert Parts().readiness().counts() == {"runs_lost": 2, "writes_refused": 3}


# The contact with the database


async def lose(contact: DatabaseContact, said: str) -> None:
    async def fail() -> str:
        raise StoreUnavailable(said)

    assert await contact.during(fail) is None


async def keep(contact: DatabaseContact) -> None:
    async def work() -> str:
        return "done"

    assert await contact.during(work) == "done"


@pytest.mark.anyio
async def test_that_it_is_away_is_reported_once_with_the_first_error_and_that_it_is_back_once(
    clock: ManualClock,
) -> None:
    facts: list[Fact] = []
    contact = DatabaseContact(facts.append)
    await keep(contact)
    assert (facts, contact.lost_for()) == ([], None)
    await lose(contact, "connection refused")
    clock.advance(3)
    await lose(contact, "no answer within 2s")
    assert contact.lost_for() == 3
    clock.advance(1)
    await keep(contact)
    await keep(contact)
    assert facts == [DatabaseAway("connection refused"), DatabaseBack(4)]
    assert contact.lost_for() is None
