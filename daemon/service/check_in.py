"""The check-in of a replica: it saves what its runs report and print, tells which of them take long, and shows that it is
alive.

A sign of life is one transaction, which also looks what there is to do, and who lives: a replica
that hears costs nothing else while it is idle (rule 24).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection

from lease.errors import StoreUnavailable

from ..execution.context import ReplicaContext
from ..execution.writes.transactions import save_output, save_progress
from ..jobs.output import Transcript
from ..jobs.reports import Piece
from ..recovery import registry
from ..recovery.deaths import DeathWatch, Neighbour, neighbours, proven_dead
from ..scheduling.deploys.rollout import Rollout
from ..scheduling.telling import Told, tell
from ..scheduling.trusted_time import part_by_trusted_time, start_put_off
from ..states import LONG_LEVELS, LiveReplicaState
from ..store import statements
from ..store.notices import ALIVE, notify
from ..store.policies import read_policies
from ..store.views.usual import Long, long_for, may_be_long, read_usual
from ..telemetry.facts import Note, RunLate, RunLong
from ..telemetry.sentences import sentence
from .runs_at_work import RunsAtWork
from .waking.hearing import Hearing
from .waking.idle_wait import Agenda

T = TypeVar("T")

_SAVE_EVERY = 1.0
TOUCH_EVERY = 5.0
"""Seconds between two signs of life."""
TOUCH_WHEN_HEARING = 10.0
"""The same of a replica that hears what happens meanwhile."""
_MOST_OUTPUT = 512 * 1024
"""The characters of output that one transaction saves; that of the jobs beyond it comes with the next."""


class CheckIn:
    """The check-in, which runs until it is cancelled.

    ``draining`` returns whether the replica is draining; ``rollout`` looks which definitions rule; ``looked`` is told what
    there is to do, and when that look began. What blocks the async jobs is shown too (rule 25).
    """

    def __init__(
        self,
        context: ReplicaContext,
        entry: registry.ReplicaEntry,
        runs: RunsAtWork,
        rollout: Rollout,
        *,
        hearing: Hearing,
        deaths: DeathWatch,
        draining: Callable[[], bool],
        looked: Callable[[Agenda, float], None],
    ) -> None:
        self._context, self._entry, self._runs, self._rollout = context, entry, runs, rollout
        self._hearing, self._deaths, self._draining, self._looked = hearing, deaths, draining, looked
        self._served = 0
        self._without_output = self._without_proof = False
        self._woken = asyncio.Event()
        self._touched = monotonic()
        self._shown: tuple[LiveReplicaState, str | None] = ("running", None)

    async def beat(self) -> None:
        """Save progress and output every second; every five or ten seconds (more often if
        `takeover_after` is short), or when its state changes, touch the replica's entry, and look.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAVE_EVERY):
                    await self._woken.wait()
            record_losses = partial(self._context.losses.write, self._context.database)
            for part in (self._show_life, self._save, record_losses):  # one that fails keeps no other off
                try:
                    await part()
                except StoreUnavailable:
                    self._rollout.lose_contact()
                except Exception as error:  # noqa: BLE001 - without a check-in, others would take this replica for dead
                    self._context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))

    def wake(self) -> None:
        self._woken.set()

    async def _show_life(self) -> None:
        every = min(TOUCH_WHEN_HEARING if self._hearing.works else TOUCH_EVERY, self._rollout.look_every)
        if not self._woken.is_set() and self._state() == self._shown and monotonic() - self._touched <= every:
            return
        self._woken.clear()
        if self._draining():
            await self.touch()
            return
        look, began = self._runs.look(), monotonic()
        sight, agenda = await self._touch(lambda c: (self._rollout.look(c), look(c)))
        self._context.publisher.has_audience = bool(sight.others.living)
        self._looked(agenda, began)
        await self._rollout.follow(sight)

    async def touch(self) -> None:
        """Record that this replica is alive: then one that loses a lease has not died (rule 16)."""
        await self._touch(lambda _: None)

    async def _touch(self, look: Callable[[Connection], T]) -> T:
        """Record that this replica is alive, and of others on this machine that they are dead, once their processes are
        gone; return what ``look`` finds in the same transaction.

        After one that failed with a notice in it, the next one is without: where the server's queue of
        notices is full, nothing that has one is committed.
        """
        entry, shown = self._entry, self._state()
        sent, needs_proof = monotonic(), self._hearing.needs_proof
        is_proof = self._without_proof = needs_proof and not self._without_proof

        def transaction(connection: Connection) -> tuple[list[Neighbour], list[RunLate | RunLong], T]:
            if not registry.touch(connection, entry.holder, *shown):  # deleted after a long absence
                registry.register(connection, entry)
                statements.replica.mark_ready(connection, entry.holder)
                registry.touch(connection, entry.holder, *shown)
            if is_proof:
                notify(connection, entry.application, ALIVE)
            late = part_by_trusted_time(connection, self._by_the_time, self._rollout.trusts)
            return neighbours(connection), late or [], look(connection)

        found, late, seen = await self._context.database.write(transaction)
        for fact in late:
            self._context.notify(fact)
        self._touched, self._shown, self._without_proof = monotonic(), shown, False
        self._deaths.follow(found)
        if needs_proof:
            self._hearing.expect(sent)
        if dead := proven_dead(found):
            await self._context.database.write(lambda connection: statements.replica.mark_dead(connection, dead))
            return await self._context.database.read(look)  # they did not count as living a moment longer
        return seen

    def _state(self) -> tuple[LiveReplicaState, str | None]:
        named = self._context.tasks.blocked()
        return "draining" if self._draining() else "running", None if named is None else sentence(named)

    async def _save(self) -> None:
        """Save what is new in one transaction. Where that failed, the next one is without output: a link
        that is too slow for it must not keep the progress off.
        """
        progress, transcripts = self._runs.take_progress(), self._runs.transcripts()
        output = {} if self._without_output else self._next_set(transcripts)
        self._without_output = False
        if not (progress or output):
            return
        holder = self._context.client.holder

        def transaction(connection: Connection) -> None:
            save_progress(connection, holder, progress)
            save_output(connection, holder, output)

        try:
            await self._context.database.write(transaction)
        except StoreUnavailable:
            self._without_output = bool(output)
            raise
        finally:
            if not self._without_output:  # saved, refused, or such that it will never be taken
                for job_run_id, piece in output.items():
                    transcripts[job_run_id].saved(piece)

    def _next_set(self, transcripts: Mapping[int, Transcript]) -> dict[int, Piece]:
        """Return the output to save next, as much as a transaction may take; each job comes round."""
        chosen: dict[int, Piece] = {}
        size = 0
        for job_run_id in sorted(transcripts, key=lambda one: (one <= self._served, one)):
            piece = transcripts[job_run_id].unsaved()
            if piece is None:
                continue
            size += len(piece.text)
            if chosen and size > _MOST_OUTPUT:
                break
            chosen[job_run_id] = piece
            self._served = job_run_id
        return chosen

    def _by_the_time(self, connection: Connection) -> list[RunLate | RunLong]:
        """Let start what a clock that had jumped has put off. Mark the runs that have become late to finish, and those of
        this replica that have become long, and return what is to be told of them.
        """
        application = self._entry.application
        start_put_off(connection, application, self._context.rows.application.schedules)
        rows = statements.run.take_late(connection, application)
        tell(connection, application, [Told("run.late", row.schedule, row.id) for row in rows])
        called = self._context.rows.name
        late = [RunLate(application, called(row.schedule), row.id, row.state, row.finish_by) for row in rows]
        return [*late, *take_long(connection, self._runs.ids(), self._entry.holder)]


# Its runs that take long, as one fact for each level that they reach


def take_long(connection: Connection, ids: Collection[int], holder: str) -> list[RunLong]:
    """Mark which of these runs of a replica have become long, or longer, and return a fact for each."""
    rows = {row.id: row for row in statements.run.read_long(connection, ids, holder)} if ids else {}
    given = {run_id: read_policies(row.definition or "{}").long for run_id, row in rows.items()}
    may_be = [row for row in rows.values() if may_be_long(row.running_for, given[row.id])]
    usual = read_usual(connection, {(row.application, row.schedule) for row in may_be})
    found: Mapping[int, Long] = {
        row.id: long
        for row in may_be
        if (long := long_for(row.running_for, given[row.id], usual.get((row.application, row.schedule)))) is not None
        and LONG_LEVELS.index(long.level) >= (row.told_long or 0)
    }
    if not found:
        return []
    levels = {run_id: long.level for run_id, long in found.items()}
    marked = sorted(statements.run.mark_long(connection, levels, holder))
    facts = []
    for run_id in marked:
        row, long = rows[run_id], found[run_id]
        tell(connection, row.application, [Told("run.long", row.key, run_id)])
        facts.append(RunLong(row.application, row.schedule, run_id, long.level, row.running_for, long.threshold))
    return facts
