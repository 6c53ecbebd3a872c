"""What happens at a scheduled time, by policy and situation: each row of the table in docs/reference/policies.md is played.

The schedule is due each hour, from midnight on, and its job never ends by itself.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from daemon import Schedules
from daemon.store.tables import run, schedule
from daemon.testing import ManualReplica, ManualStore

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "policies.md"
HALF_PAST_MIDNIGHT = "2026-07-01T00:30:00Z"
DEFAULTS = {"catch_up": "latest", "start_within": None, "overlap": "skip"}
COLUMNS = ("catch_up", "start_within", "overlap", "situation", "outcome")


async def forever(_run: object) -> None:
    await asyncio.Event().wait()


def shop(*, of: str = "hourly", **settings: Any) -> Schedules:
    schedules = Schedules("shop")
    timing = {"every": "1h", "starts": "2026-07-01T00:00:00Z"}
    schedules.add(of, **{**timing, **settings}).job(name="work", timeout="1d")(forever)
    return schedules


@dataclass
class Story:
    """A replica of the schedule at half past midnight."""

    store: ManualStore
    replica: ManualReplica
    stack: AsyncExitStack
    settings: dict[str, Any]
    before: Counter[str] = field(default_factory=Counter)

    async def plan(self) -> None:
        """Plan all that is due, in as many ticks as that takes, and claim."""
        while (agenda := await self.replica.tick()) is not None and agenda.due:
            pass

    async def pass_hours(self, hours: float) -> None:
        self.store.clock.advance(hours * 3600)

    async def restart(self, schedules: Schedules) -> None:
        """Start another replica, with these definitions, beside the one that is there."""
        self.replica = await self.stack.enter_async_context(ManualReplica(self.store, schedules))

    async def count(self) -> Counter[str]:
        """Return how many instants there are by what became of them."""
        rows = await self.store.read(lambda c: c.execute(select(run).where(run.c.schedule == "hourly")).all())
        counts: Counter[str] = Counter()
        for row in rows:
            waits = row.state == "pending" and row.available_at is None
            counts["waiting" if waits else row.reason if row.state == "skipped" else "started"] += row._mapping["count"]
            counts["cancelled"] += row.cancelled_at is not None
        return counts


Play = Callable[[Story], Awaitable[None]]


def missed(count: int) -> Play:
    async def play(story: Story) -> None:
        await story.pass_hours(count)

    return play


async def due_now(story: Story) -> None:
    await story.pass_hours(0.5)


async def due_during_a_run(story: Story) -> None:
    await due_now(story)
    await story.plan()
    story.before = await story.count()
    await story.pass_hours(1)


async def paused(story: Story) -> None:
    await story.store.write(lambda c: c.execute(update(schedule).values(paused_at=story.store.clock.now)))
    await story.pass_hours(5)


async def paused_at_first(story: Story) -> None:
    now = story.store.clock.now
    pause = update(schedule).values(paused_at=now, paused_until=now + timedelta(hours=3))
    await story.store.write(lambda c: c.execute(pause))
    await story.pass_hours(5)


async def excluded(story: Story) -> None:
    await story.restart(shop(**story.settings, exclude=["2026-07-01"]))
    await story.pass_hours(5)


async def disabled(story: Story) -> None:
    await story.restart(shop(**story.settings, enabled=False))
    await story.pass_hours(5)


async def retired(story: Story) -> None:
    await story.pass_hours(5)
    await story.restart(shop(of="another"))


async def retimed(story: Story) -> None:
    await story.pass_hours(5)
    await story.restart(shop(**story.settings | {"every": "2h"}))


async def respelled(story: Story) -> None:
    await story.pass_hours(5)
    await story.restart(shop(**story.settings | {"every": 3600, "starts": "2026-07-01T02:00:00+02:00"}))


async def replica_down(story: Story) -> None:
    await story.stack.aclose()
    await story.pass_hours(5)
    story.stack = AsyncExitStack()
    await story.restart(shop(**story.settings))


async def database_down(story: Story) -> None:
    story.store.available = False
    for _ in range(5):
        await story.pass_hours(1)
        assert await story.replica.tick() is None
    story.store.available = True


async def clock_forward(story: Story) -> None:
    story.store.clock.advance(5 * 3600)


async def clock_back(story: Story) -> None:
    await due_now(story)
    await story.plan()
    story.before = await story.count()
    story.store.clock.set(story.store.clock.now - timedelta(hours=3))
    for _ in range(3):
        await story.plan()
        await story.pass_hours(1)


SITUATIONS: dict[str, Play] = {
    "one is due": due_now,
    "1 is missed": missed(1),
    "5 are missed": missed(5),
    "1,000,000 are missed": missed(1_000_000),
    "one is due while a run is active": due_during_a_run,
    "5 are due while it is paused": paused,
    "5 are due, of which 3 while it was paused": paused_at_first,
    "5 are due on a day that it excludes": excluded,
    "5 pass while it is disabled": disabled,
    "5 are missed, then it is retired": retired,
    "5 are missed, then its timing changes": retimed,
    "5 are missed, then its spelling changes": respelled,
    "no replica runs for 5": replica_down,
    "the database is away for 5": database_down,
    "the database's clock jumps forward by 5": clock_forward,
    "one runs, and the clock jumps back by 3": clock_back,
}


def table() -> list[dict[str, str]]:
    """Return the rows of the table in the docs; an empty cell is the default."""
    section = PAGE.read_text().partition("\n| catch_up ")[2].partition("\n\n")[0]
    lines = f"| catch_up {section}".splitlines()
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines]
    assert tuple(cells[0]) == COLUMNS
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells[2:]]


@pytest.mark.parametrize("row", table(), ids=lambda row: " ".join(filter(None, row.values())))
async def test_what_becomes_of_instants_is_as_the_table_says(row: dict[str, str]) -> None:
    """Rules 13 and 14."""
    settings: dict[str, Any] = {name: row[name] or default for name, default in DEFAULTS.items()}
    async with ManualStore(HALF_PAST_MIDNIGHT) as store:
        stack = AsyncExitStack()
        replica = await stack.enter_async_context(ManualReplica(store, shop(**settings)))
        story = Story(store, replica, stack, settings)
        try:
            await SITUATIONS[row["situation"]](story)
            await story.plan()
            found = await story.count() - story.before
        finally:
            await story.stack.aclose()
    order = ("started", "waiting", "overlap", "replaced", "missed", "paused", "excluded", "cancelled")
    assert ", ".join(f"{found[what]:,} {what}" for what in order if found[what]) == row["outcome"].replace(
        "nothing", ""
    )


def test_the_table_has_each_situation() -> None:
    assert {row["situation"] for row in table()} == set(SITUATIONS)
