"""The rollout: a replica's part in which definitions rule (rule 21).

It looks with each sign of life, and moves in a transaction that decides anew, one replica at a time
of an application.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import assert_never

from sqlalchemy import Connection

from lease.database.database import Database

from ..definitions.application import Application
from ..store import statements
from ..telemetry.facts import Note, Notify
from .adoption import adopt, strange_digests
from .generations import (
    FOR_GOOD_AFTER,
    TAKEOVER_AFTER,
    Add,
    Count,
    Generation,
    Move,
    Order,
    Others,
    PutOnTop,
    Rule,
    is_newer_ready,
    next_move,
)
from .standing import describe
from .sync import SyncReport, plan_outgoing, sync

SEEN_WITHIN = 15.0
"""Seconds for which a replica counts as living after its last sign of life, of which there is one each 5 s."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of the definitions that were brought to the database."""

    order: Order
    report: SyncReport | None
    """What they changed there; None: nothing was written."""
    rules: bool
    """Whether they are those in the database now."""


class Rollout:
    """Brings the definitions of one replica to the database, and watches over which rule there."""

    def __init__(
        self,
        database: Database,
        application: Application,
        holder: str,
        label: str,
        notify: Notify,
        *,
        takeover_after: float = TAKEOVER_AFTER,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._application = application
        self._digest = application.digest()
        self._run_digests = {schedule.run_digest() for schedule in application.schedules}
        self._holder = holder
        self._label = label
        self._notify = notify
        self._takeover_after = takeover_after
        self._clock = clock
        self._count = Count()
        self._told: str | None = None

    async def join(self, *, take_over: bool = False) -> Brought:
        """Bring the definitions, now that this replica is ready to work; ``take_over`` puts them on top."""

        def transaction(connection: Connection) -> Brought:
            brought = bring(
                connection,
                self._application,
                by=self._label,
                holder=self._holder,
                take_over=take_over,
                takeover_after=self._takeover_after,
            )
            statements.replica.mark_ready(connection, self._holder)
            return brought

        await self._plan_outgoing()
        brought = await self._database.write(transaction)
        self._count = Count(at=self._clock())
        if brought.report is not None:
            self._notify(Note(f'application "{self._application.name}": {brought.report}'))
        self._tell(brought.order)
        if brought.rules:
            await self._adopt()
        return brought

    async def look(self) -> None:
        """Look who lives, and move if it is time to."""
        order, others = await self._database.read(lambda c: look(c, self._application.name, self._digest, self._holder))
        is_ready = is_newer_ready(order, self._digest, others)
        self._count = self._count.after(self._clock(), is_ready=is_ready, long_enough=self._takeover_after)
        if self._next(order, others) is not None:
            await self._plan_outgoing()
            order = (await self._database.write(self._move)).order
        self._tell(order)
        own = order.latest(self._digest)
        if own is not None and own.rules:
            await self._adopt()

    async def _adopt(self) -> None:
        """Let runs whose definition nobody has any more go by these."""
        name, holder, known = self._application.name, self._holder, self._run_digests
        if not await self._database.read(lambda c: strange_digests(c, name, holder, known, SEEN_WITHIN)):
            return
        adopted = await self._database.write(lambda c: adopt(c, self._application, holder, SEEN_WITHIN))
        if adopted.adopted or adopted.cancelled:
            self._notify(Note(f'application "{name}": {adopted}'))

    async def _plan_outgoing(self) -> None:
        """Plan what is due by definitions that may be replaced now, so that this takes no time."""
        while await self._database.write(lambda connection: plan_outgoing(connection, self._application)):
            pass

    def _next(self, order: Order, others: Others) -> Move | None:
        return next_move(order, self._digest, others, self._count, starting=False, takeover_after=self._takeover_after)

    def _move(self, connection: Connection) -> Brought:
        return _carry_out(connection, self._application, self._label, self._holder, self._next)

    def _tell(self, order: Order) -> None:
        """Tell how these definitions stand when that has changed."""
        said = describe(order, self._digest, self._takeover_after, FOR_GOOD_AFTER)
        if said != self._told:
            self._told = said
            self._notify(Note(f'application "{self._application.name}": {said}'))


def look(connection: Connection, application: str, digest: str, holder: str | None) -> tuple[Order, Others]:
    """Return the generations, and who lives besides ``holder``."""
    rows = statements.generation.latest(connection, application, digest)
    order = Order([Generation(row.number, row.digest, row.revision, row.ruled_at is None, row.rules) for row in rows])
    living = statements.generation.others(connection, application, holder, SEEN_WITHIN)
    return order, Others(
        living=frozenset(row.digest or "" for row in living),
        ready=frozenset(row.digest or "" for row in living if row.is_ready),
    )


def bring(
    connection: Connection,
    application: Application,
    *,
    by: str,
    holder: str,
    take_over: bool = False,
    takeover_after: float = TAKEOVER_AFTER,
) -> Brought:
    """Bring the definitions of a replica that is ready: they rule at once if they are new, or if no
    other replica lives.
    """
    if take_over:
        return take_on_top(connection, application, by=by)
    digest = application.digest()

    def at_start(order: Order, others: Others) -> Move | None:
        return next_move(order, digest, others, Count(), starting=True, takeover_after=takeover_after)

    brought = _carry_out(connection, application, by, holder, at_start)
    ruler = brought.order.ruler
    if brought.report is None and ruler is not None and ruler.digest == digest:
        report = sync(connection, application, retire=ruler is brought.order.newest)
        return Brought(brought.order, report, rules=True)
    return brought


def stage(connection: Connection, application: Application, *, by: str) -> Brought:
    """Bring definitions without a replica: beside living replicas of others they only get their place,
    and rule from the first of their own replicas on.
    """
    statements.schedule.take_turn(connection, application.name)
    digest = application.digest()
    order, others = look(connection, application.name, digest, None)
    own = order.latest(digest)
    if not others.living - {digest} or (own is not None and own.rules):
        return take_on_top(connection, application, by=by)
    if own is None:
        _add(connection, application, by)
        order, _ = look(connection, application.name, digest, None)
    return Brought(order, None, rules=False)


def take_on_top(connection: Connection, application: Application, *, by: str) -> Brought:
    """Make these definitions the newest, and let them rule."""
    statements.schedule.take_turn(connection, application.name)
    digest = application.digest()
    order, _ = look(connection, application.name, digest, None)
    own = order.latest(digest)
    if own is None or own != max(order.generations, key=lambda one: one.rank):
        _add(connection, application, by)
        order, _ = look(connection, application.name, digest, None)
        own = order.latest(digest)
    assert own is not None  # noqa: S101 - it has just been added
    report = _write(connection, application, own, in_lieu=False)
    return Brought(look(connection, application.name, digest, None)[0], report, rules=True)


def _carry_out(
    connection: Connection,
    application: Application,
    by: str,
    holder: str,
    decide: Callable[[Order, Others], Move | None],
) -> Brought:
    """Move until there is nothing to do; what is decided is decided under the application's turn."""
    statements.schedule.take_turn(connection, application.name)
    digest = application.digest()
    report = None
    while True:
        order, others = look(connection, application.name, digest, holder)
        own = order.latest(digest)
        match decide(order, others):
            case None:
                return Brought(order, report, rules=own is not None and own.rules)
            case Add():
                _add(connection, application, by)
            case Rule(in_lieu=in_lieu):
                assert own is not None  # noqa: S101 - it is added first
                report = _write(connection, application, own, in_lieu=in_lieu)
            case PutOnTop():
                report = take_on_top(connection, application, by=by).report
            case never:
                assert_never(never)


def _add(connection: Connection, application: Application, by: str) -> None:
    values = {
        "digest": application.digest(),
        "revision": None,
        "brought_by": by,
        "run_digests": json.dumps([schedule.run_digest() for schedule in application.schedules]),
    }
    statements.generation.add(connection, application.name, values)


def _write(connection: Connection, application: Application, own: Generation, *, in_lieu: bool) -> SyncReport:
    report = sync(connection, application, retire=not in_lieu)
    statements.generation.let_rule(connection, application.name, own.number, in_lieu=in_lieu, changes=str(report))
    return report
