"""An attempt that lost its lease says why, and when its work ended, however late it was settled (rule 9)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import pytest
from sqlalchemy import update

import lease.statements
from daemon.execution.context import LossNote, LossNotes
from daemon.recovery.settle import settle
from daemon.store.tables import job_run
from daemon.store.views.history import JobRunLine
from daemon.telemetry.facts import RunEnded, WriteRefused
from daemon.testing import ManualReplica, ManualStore
from lease.database.database import Database
from lease.database.dialects import later, now
from lease.model import Grant, Loss, LossKind
from tests.support.manual import Gate, at_work, facts_of, until

pytestmark = pytest.mark.anyio


@dataclass
class Story:
    """A run at work, whose replica loses its lease."""

    store: ManualStore
    replica: ManualReplica
    run_id: int
    taken: Grant | None = None

    async def lose(self) -> None:
        """Lose the lease to another replica; the work ends when it is told so."""
        (claimed,) = self.replica.replica.runs.claimed
        self.taken = await self.store.take_over(claimed.grant.name)

    async def attempt(self) -> JobRunLine:
        (first, *_) = (await self.replica.read(self.run_id)).jobs
        return first


@asynccontextmanager
async def a_story() -> AsyncIterator[Story]:
    async with at_work(Gate()) as (replica, run_id):
        await replica.store.write(lambda c: c.execute(update(job_run).values(started_at=later(now(), -60.0))))
        yield Story(replica.store, replica, run_id)


async def test_an_attempt_whose_lease_was_stolen_says_by_whom_and_ends_with_its_work() -> None:
    async with a_story() as story:
        await story.lose()
        await story.replica.wait_for(story.run_id)
        (ended,) = facts_of(story.replica, RunEnded)
        assert (ended.outcome, ended.reason) == ("lost", "stolen by another replica with token 2")
        assert len(facts_of(story.replica, WriteRefused)) == 1
        story.store.clock.advance("1h")
        await story.store.write(settle)
        attempt = await story.attempt()
        assert (attempt.state, attempt.lost_by) == ("stopped", "ended")
        assert attempt.lost_why == "stolen by another replica with token 2"
        assert attempt.seconds == pytest.approx(60, abs=20), "not an hour, after which it was settled"


async def test_what_cannot_be_recorded_while_the_database_is_away_is_recorded_afterwards() -> None:
    async with a_story() as story:
        await story.lose()
        story.store.available = False
        runs = story.replica.replica.runs
        await until(lambda: not runs.claimed, "its work has ended")
        story.store.available = True
        assert (await story.attempt()).lost_why is None
        context = story.replica.context
        await context.losses.write(context.database)
        assert (await story.attempt()).lost_why == "stolen by another replica with token 2"
        await context.losses.write(context.database)


async def test_losses_at_one_moment_are_written_together() -> None:
    """A replica loses all that it has when its database is away, and each write is a transaction."""
    written: list[int] = []

    class SlowDatabase:
        async def write(self, _: object) -> None:
            written.append(1)
            await asyncio.sleep(0)

    notes, database = LossNotes(), cast("Database", SlowDatabase())

    async def lose(number: int) -> None:
        grant = Grant(f"run/shop/{number}", 1, "h1")
        notes.add(LossNote(number, grant, Loss(grant, LossKind.UNREACHABLE, "database unreachable"), 0.0))
        await notes.write(database)

    await asyncio.gather(*(lose(number) for number in range(100)))
    assert len(written) <= 2
    await notes.write(database)
    assert len(written) <= 2, "nothing is left"


async def test_a_run_that_was_handed_back_after_a_loss_shows_the_loss_of_that_attempt_alone() -> None:
    async with a_story() as story:
        await story.lose()
        await story.replica.wait_for(story.run_id)
        assert story.taken is not None
        taken = story.taken
        await story.store.write(lambda connection: lease.statements.release(connection, taken))
        await story.store.write(settle)
        run = await story.replica.read(story.run_id)
        assert (run.state, [job.lost_by for job in run.jobs]) == ("pending", ["ended"])
