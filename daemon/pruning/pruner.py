"""The pruner of a replica: it keeps the histories of its application small, in the background.

One replica of an application at a time prunes, under the lease `prune/<application>`, and not more often than
each `EVERY` seconds together. Two at once would do no harm: each step chooses again, and locks what it deletes.

A schedule is pruned in steps, each of two short transactions; what else is old goes in one. The first transaction
chooses, and records up to which instant runs of the schedule may be gone; the second deletes. In between, the audit only
knows less than it could. What is locked is left for later.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import uniform
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection

from lease.client import Lease, LeaseClient
from lease.database.database import Database, Unit
from lease.errors import LeaseError

from ..definitions.values.durations import read_keep
from ..scheduling.trusted_time import ClockJumped, Trusts, by_trusted_time
from ..store import statements
from ..telemetry.facts import Note, Notify
from ..text import counted
from .choice import DAY, Outdated, Seen, age_kept, choose

PRUNING = "prune/"
"""The beginning of the name of the lease under which a replica prunes; the application follows."""
MOST_RUNS = 300
"""The most runs that one step looks at."""
ACTS_KEPT = 400 * DAY
"""Seconds."""
GENERATIONS_KEPT = 90 * DAY
"""Seconds for which a generation is kept after it gave way."""
LEAST_GENERATIONS = 50
"""So many are kept, however old."""
MESSAGES_KEPT = 7 * DAY
"""Seconds for which a message is kept after it was delivered or given up."""
SILENT_IS_DEAD = 900.0
"""Seconds after which a replica that is not seen is recorded as dead, so that it is a problem no more."""
_MOST_ACTS = 1_000
_MOST_MESSAGES = 5_000
_MOST_GENERATIONS = 50
"""So many of each go in one transaction, at most."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A schedule whose history is bounded, and which of its runs are beyond the newest that are kept."""

    application: str
    schedule: str
    age: float
    """Seconds after its end for which a run is kept."""
    before: int | None
    """Only runs with a smaller id go; None: of any."""


def kept(connection: Connection, application: str) -> dict[str, Mapping[str, int]]:
    """Return what each schedule keeps, by name, of those that say so; what a newer version defined keeps all."""
    found: dict[str, Mapping[str, int]] = {}
    for row in statements.keeping.keeping(connection, application):
        with suppress(KeyError, TypeError, ValueError):
            found[row.name] = read_keep(json.loads(row.definition)["keep"])
    return found


def bound(connection: Connection, application: str, name: str, keep: Mapping[str, int]) -> Bounded | None:
    """Return which runs of a schedule may go; None if none may, because there are not so many."""
    before = None
    if "runs" in keep:
        before = statements.keeping.oldest_kept(connection, application, name, keep["runs"])
        if before is None:
            return None
    return Bounded(application, name, age_kept(keep), before)


def choose_next(connection: Connection, bounded: Bounded, after: int) -> Outdated:
    """Choose the runs to delete among the next ones behind ``after``, and record their instants as pruned."""
    of = (bounded.application, bounded.schedule)
    rows = statements.keeping.first_runs(connection, *of, after, bounded.before, MOST_RUNS)
    seen = [Seen(r.id, r.scheduled, r.last, r.created_for, r.ended_for, r.goes_on) for r in rows]
    choice = choose(seen, bounded.age, after, MOST_RUNS)
    if choice.until is not None:
        statements.keeping.mark_pruned(connection, *of, choice.until)
    return choice


def delete_old_records(connection: Connection, application: str) -> bool:
    """Delete acts, generations and messages that are old; return whether there may be more of those acts. Of generations,
    which are few, the next pruning takes more. Replicas that have been silent for long are recorded as dead: one that was
    replaced within a minute would otherwise be a problem until the next one starts.
    """
    statements.replica.mark_unseen_dead(connection, SILENT_IS_DEAD)
    statements.delivery.delete_done(connection, application, MESSAGES_KEPT, _MOST_MESSAGES)
    acts = statements.keeping.delete_acts(connection, ACTS_KEPT, _MOST_ACTS)
    statements.keeping.delete_generations(
        connection, application, GENERATIONS_KEPT, LEAST_GENERATIONS, _MOST_GENERATIONS
    )
    return acts == _MOST_ACTS


EVERY = 600.0
"""Seconds from one pruning of an application to the next, whoever does it."""
FIRST_AFTER = (30.0, 90.0)
"""Between so many seconds after its start a replica looks for the first time."""
LAST = 2.0
"""The most seconds for which a replica that ends when it is idle prunes before it does: it may never look otherwise."""
SHARE = 0.1
"""The most of the time that pruning takes: after a step it rests nine times as long as that took."""
_LEAST_REST = 0.02

T = TypeVar("T")


@dataclass(eq=False, repr=False)
class Pruner:
    """Prunes the schedules of one application for a replica, until ``stops`` says that this drains."""

    database: Database
    client: LeaseClient
    application: str
    notify: Notify
    stops: Callable[[], bool] = lambda: False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    trusts: Trusts | None = None

    async def prune_on(self) -> None:
        """Look each `EVERY` seconds whether it is time to prune, and do it."""
        await self.sleep(uniform(*FIRST_AFTER))  # noqa: S311 - it only spreads the replicas
        while True:
            await self.try_to_prune()
            await self.sleep(uniform(0.9, 1.1) * EVERY)  # noqa: S311

    async def try_to_prune(self) -> None:
        """Prune, if that can be done now; what is left is for the next turn."""
        try:
            await self.prune()
        except (LeaseError, ClockJumped):  # the database is away, the lease is lost, or how old runs are is not sure
            pass
        except Exception as error:  # noqa: BLE001 - a history that grows must not end the replica
            self.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))

    async def prune(self) -> int:
        """Prune what is no longer kept, unless another replica does it or has done it lately; return how many
        runs were deleted. Raises `LeaseLost`, `StoreUnavailable` and `ClockJumped`.
        """
        name = f"{PRUNING}{self.application}"
        lately = await self.database.read(lambda c: statements.keeping.was_granted(c, name, 0.8 * EVERY))
        held = None if lately or self.stops() else await self.client.try_acquire(name)
        if held is None:
            return 0
        try:
            keeps = await self.database.read(lambda c: kept(c, self.application))
            gone = {schedule: await self._prune_schedule(held, schedule, keep) for schedule, keep in keeps.items()}
            records = partial(delete_old_records, application=self.application)
            while not self.stops() and await self._resting(held, records):
                pass
            if total := sum(gone.values()):
                schedules = sum(1 for runs in gone.values() if runs)
                self.notify(Note(f"{counted(total, 'run')} of {counted(schedules, 'schedule')} pruned (keep)"))
            return total
        finally:
            with suppress(LeaseError):
                await held.release()

    async def _prune_schedule(self, held: Lease, name: str, keep: Mapping[str, int]) -> int:
        """Delete the runs of a schedule that are no longer kept, step by step; return how many."""
        if self.stops():
            return 0
        bounding = partial(bound, application=self.application, name=name, keep=keep)
        bounded = await self.database.read(by_trusted_time(bounding, self.trusts))
        after, gone = 0, 0
        while bounded is not None and not self.stops():
            chosen = await self._resting(held, partial(choose_next, bounded=bounded, after=after))
            if chosen.ids:
                deletes = partial(
                    statements.keeping.delete_runs, application=self.application, name=name, ids=chosen.ids
                )
                gone += await self._resting(held, deletes)
            if not chosen.more:
                break
            after = chosen.after
        return gone

    async def _resting(self, held: Lease, unit: Unit[T]) -> T:
        """Do ``unit`` in a transaction, while the lease is held, and rest for a time that goes by what it took."""
        held.ensure()
        began = monotonic()
        done = await self.database.write(by_trusted_time(unit, self.trusts))
        await self.sleep(max(_LEAST_REST, (monotonic() - began) * (1 / SHARE - 1)))
        return done


async def prune_at_the_end(
    database: Database, client: LeaseClient, application: str, notify: Notify, trusts: Trusts | None
) -> None:
    """Prune for `LAST` seconds at most; what is left then, or cannot be done now, is for the next replica."""
    until = monotonic() + LAST

    async def rest(seconds: float) -> None:
        await asyncio.sleep(max(0.0, min(seconds, until - monotonic())))

    await Pruner(database, client, application, notify, lambda: monotonic() >= until, rest, trusts).try_to_prune()
