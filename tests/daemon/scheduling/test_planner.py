"""The planner of a replica: transaction by transaction, and only by a clock that can be trusted (rule 13)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from daemon import Schedules
from daemon.scheduling import plan_due as planner_module
from daemon.scheduling import plan_due as planning
from daemon.scheduling import trusted_time
from daemon.scheduling.plan_due import Planner, PlanReport, plan_due
from daemon.scheduling.trusted_time import WallClock
from daemon.telemetry.facts import Fact, Note, TimesSkipped
from daemon.testing import ManualReplica
from lease.clock import boottime
from lease.testing import ManualClock
from tests.support.manual import ONE_O_CLOCK, CountingStore, a_shop, add_schedule, told

pytestmark = pytest.mark.anyio

TWO_O_CLOCK = "2026-07-01T02:00:00Z"


class Story:
    """A planner on the store of a test, and what it reports."""

    def __init__(self, replica: ManualReplica, store: CountingStore, *, has_wall_clock: bool = False) -> None:
        self.facts: list[Fact] = []
        self.replica = replica
        self.store = store
        known = {schedule.name: schedule for schedule in replica.application.schedules}
        trusts = WallClock(self._take).trusts if has_wall_clock else None
        self.planner = Planner(store, "shop", known, self._take, trusts)
        store.writes = 0

    def _take(self, fact: Fact) -> None:
        if not isinstance(fact, TimesSkipped):  # what is planned is in the table
            self.facts.append(fact)

    async def plan(self) -> bool:
        return await self.planner.plan(self.store.clock.now)

    async def planned(self) -> int:
        return len(await self.replica.runs())


@asynccontextmanager
async def a_story(schedules: Schedules, *, has_wall_clock: bool = False) -> AsyncIterator[Story]:
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        yield Story(replica, store, has_wall_clock=has_wall_clock)


def four_schedules() -> Schedules:
    schedules = a_shop()
    for name in ("one", "two", "three"):
        add_schedule(schedules, name)
    return schedules


async def test_each_call_plans_one_bounded_transaction_and_says_whether_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "MOST_SCHEDULES", 2)
    async with a_story(four_schedules()) as story:
        story.store.clock.set(TWO_O_CLOCK)
        seen = []
        for _ in range(3):
            assert await story.plan() is True
            seen.append((await story.planned(), story.planner.has_more, story.store.writes))
        assert seen == [(2, True, 1), (4, True, 2), (4, False, 3)]


async def test_each_unreadable_definition_is_reported_once_with_its_schedule_and_holds_up_no_other() -> None:
    async with a_story(four_schedules()) as story:
        broken = text("UPDATE schedule SET definition = '{}', digest = 'another' WHERE name IN ('one', 'two')")
        await story.store.write(lambda connection: connection.execute(broken))
        for _ in range(2):
            story.store.clock.advance("1d")
            await story.plan()
        assert sorted({run.run.schedule for run in await story.replica.runs()}) == ["nightly", "three"]
        assert [len(told(story.facts, f'schedule "{name}": ')) for name in ("one", "two")] == [1, 1]
        assert len(story.facts) == 2


async def test_instants_that_had_a_run_already_are_a_defect_that_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planner_module, "plan_due", lambda *_, **__: PlanReport(doubled=2))
    async with a_story(a_shop()) as story:
        await story.plan()
        await story.plan()
        assert story.facts == told(story.facts, "2 scheduled times already had a run")
        assert len(story.facts) == 1


# Where the database has no clock of its own


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The clock since boot, which moves by itself no more."""
    clock = ManualClock(boottime())
    monkeypatch.setattr(trusted_time, "boottime", clock)
    return clock


async def test_while_the_wall_clock_has_jumped_nothing_is_planned_and_that_is_reported_once(boot: ManualClock) -> None:
    async with a_story(a_shop(), has_wall_clock=True) as story:
        assert await story.plan() is True
        story.store.clock.set("2026-07-01T02:30:00Z")
        assert [await story.plan(), await story.plan()] == [False, False]
        assert await story.planned() == 0
        assert [type(fact) for fact in story.facts] == [Note]
        assert told(story.facts, "forward by 5400s")

        story.store.clock.set(ONE_O_CLOCK)
        assert await story.plan() is True
        assert len(story.facts) == 2


async def test_a_clock_that_jumps_between_the_look_and_the_transaction_is_seen_too(boot: ManualClock) -> None:
    """The time that was looked up was right; the transaction reads its own."""
    async with a_story(a_shop(), has_wall_clock=True) as story:
        await story.plan()
        looked_up = story.store.clock.now
        story.store.clock.set("2026-07-01T02:30:00Z")
        assert await story.planner.plan(looked_up) is False
        assert await story.planned() == 0
        assert len(story.facts) == 1


async def test_what_was_planned_by_a_clock_that_jumped_in_the_midst_is_undone(
    boot: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement looks at the clock: by one that is hours ahead for a moment, it would plan these hours."""
    async with a_story(a_shop(), has_wall_clock=True) as story:
        await story.plan()

        def jump_and_plan(*arguments: Any, **named: Any) -> PlanReport:
            story.store.clock.set("2026-07-01T02:30:00Z")
            report = plan_due(*arguments, **named)
            assert report.made == 1
            return report

        with monkeypatch.context() as jumping:
            jumping.setattr(planner_module, "plan_due", jump_and_plan)
            assert await story.plan() is False
        assert await story.planned() == 0
        story.store.clock.set(TWO_O_CLOCK)
        boot.advance(3600)
        assert await story.plan() is True
        assert await story.planned() == 1
