"""The rollout: a replica's part in which definitions rule (rule 21).

It looks with each sign of life, and moves in a transaction that decides anew (`daemon.scheduling.deploys.bring`). Where
an application's runs belong to its replicas alone, the highest living revision has them, and adopts those whose
definition nobody has any more (rule 22).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from time import monotonic

from sqlalchemy import Connection

from lease.database.database import Database, Unit

from ...definitions.application import Application, Rows
from ...states import SEEN_WITHIN
from ...store import statements
from ...store.notices import DEFINITIONS, WORK, notify
from ...store.tables import called
from ...telemetry.facts import Note, Notify, SchedulesRetired
from ...text import counted
from ..generations.order import Count, Move, Order, Others, is_newer_ready, next_move
from ..generations.standing import Standing, stand
from ..plan import lease_name, waits_for_predecessor
from ..renames import located
from ..trusted_time import ClockJumped, Trusts, by_trusted_time
from .bring import Brought, bring, carry_out, look
from .sync import patience, plan_outgoing, sync

# The adoption of runs whose definition nobody has any more (rule 22)
#
# Only pending ones: a run at work ends as it began. What waits of a schedule that was retired ends as cancelled, once
# no living replica has that schedule as it was.


@dataclass(frozen=True, slots=True)
class Strangers:
    """The digests of definitions by which runs wait, and which no replica has that was seen lately, nor this one."""

    gone: frozenset[str | None]
    """All replicas that had them have ended."""
    unseen: frozenset[str | None]
    """A replica that has them has not ended, as far as is known: at most it was taken for dead."""


def strangers(connection: Connection, application: Application, holder: str) -> Strangers:
    """Return the definitions that are strange now, of schedules that ``application`` has or that were retired; its
    schedules have the names of their rows.
    """
    own = {schedule.name for schedule in application.schedules}
    waiting = statements.renames.pending_definitions(connection, application.name)
    unknown = {row.digest for row in waiting if row.is_retired or row.schedule in own}
    unknown -= set(application.run_digests.values())
    if not unknown:
        return Strangers(frozenset(), frozenset())
    least = application.revision if application.require_revision else None  # those of lower ones run nothing
    digests_of_others = partial(statements.generation.run_digests_of_others, connection, least_revision=least)
    unknown -= digests_of_others(application.name, holder, SEEN_WITHIN)
    unseen = unknown & digests_of_others(application.name, holder, SEEN_WITHIN, or_lost=True)
    return Strangers(frozenset(unknown - unseen), frozenset(unseen))


def adopt(connection: Connection, application: Application, holder: str, given_up: Collection[str | None]) -> str:
    """Let the runs of ``given_up`` definitions that are strange still go by the definitions in the database, which are
    those of ``application``; end those of retired schedules. Return what was done, as text; nothing if nothing was.
    """
    statements.schedule.take_turn(connection, application.name)
    application = application.keyed(located(connection, application).keys)
    found = strangers(connection, application, holder)
    strange = (found.gone | found.unseen) & frozenset(given_up)
    if not strange:
        return ""
    said: list[str] = []
    own = {schedule.name: schedule for schedule in application.schedules}
    digests = set(application.run_digests.values())
    waiting = statements.renames.pending_definitions(connection, application.name)
    names = {row.schedule for row in waiting if row.digest in strange}
    for row in statements.schedule.of_application(connection, application.name, lock=True, names=names):
        if row.retired_at is not None or row.run_digest not in digests:
            continue
        number = statements.renames.adopt(connection, application.name, row.name, strange, row.run_digest)
        if number:
            said.append(f'{counted(number, "run")} of "{called(row)}" will use its current definition')
            # They wait as it says: for which lease, and for one another, which the slots of a lock do not make them do,
            # and one lease at the cost of all others.
            schedule, of = own[row.name], (application.name, row.name)
            lease = lease_name(application.name, schedule)
            statements.run.name_leases(
                connection, *of, lease.base, lease.queue, per_run=lease.per_run, digest=row.run_digest
            )
            if waits_for_predecessor(schedule.overlap):
                statements.run.let_wait(connection, *of, row.run_digest)
    cancelled = statements.renames.cancel_retired(connection, application.name, strange)
    statements.claims.promote(connection, {(application.name, name) for name in cancelled})
    said += [f'{counted(number, "run")} of "{name}" cancelled: it was retired' for name, number in cancelled.items()]
    return "; ".join(said)


# The rollout


class RequiredRevision:
    """Says whether this replica must leave runs to others, because its definitions have `require_revision` and a replica
    of a higher revision is ready. One that a take-over made count no more is lower than any, and one whose definitions
    these supersede counts for nothing here. ``changed`` is called when that changes.

    Each claim looks, in its own transaction; between claims, what was found last holds.
    """

    def __init__(self, application: Application, notify: Notify, changed: Callable[[], object] = lambda: None) -> None:
        self.higher: int | None = None
        """The revision to whose replicas runs are left, as far as is known."""
        self._name = application.name
        self._digest = application.digest
        self._own = application.revision if application.require_revision else None
        self._notify = notify
        self._changed = changed

    def look(self, connection: Connection) -> int | None:
        """Return the revision to whose replicas runs are to be left now; None if this replica may claim."""
        if self._own is None:
            return None
        highest = statements.replica.highest_revision(connection, self._name, self._digest, SEEN_WITHIN)
        if highest is None or highest == self._own:
            return None
        counts = statements.replica.counts(connection, self._name, self._digest, self._own)
        return highest if highest > self._own or not counts else None

    def take(self, higher: int | None) -> None:
        """Take in what a look has found, and tell if it is another than before."""
        if higher == self.higher:
            return
        self.higher = higher
        free = f"no replica of a higher revision than {self._own} is ready; this one claims runs"
        self._notify(Note(f'application "{self._name}": {self.sentence() or free}'))
        self._changed()

    def sentence(self) -> str | None:
        """Return why this replica claims nothing, if it does not. For any thread."""
        higher = self.higher
        if higher is None:
            return None
        own = f"{self._own}" if higher > (self._own or 0) else f"{self._own}, which no longer counts"
        return (
            f"this replica claims no runs: its revision is {own}, a replica of revision {higher} is ready, and "
            "with require_revision only the highest revision claims runs"
        )


_LOOK_AGAIN = 1.0
"""Seconds after which one that waits for a clock that can be trusted looks again."""


@dataclass(frozen=True, slots=True)
class Sight:
    database_time: datetime
    order: Order
    others: Others
    strangers: Strangers
    keys: Mapping[str, str]
    """The rows of schedules that were renamed, by their names."""
    higher: int | None
    """The revision to whose replicas runs are to be left."""


@dataclass(eq=False)
class Rollout:
    """Brings the definitions of one replica to the database, and watches over which rule there."""

    database: Database
    application: Application
    holder: str
    label: str
    notify: Notify
    rows: Rows
    required: RequiredRevision
    takeover_after: float
    trusts: Trusts | None
    """The judge of the database's time; None where that can always be trusted."""
    clock: Callable[[], float] = monotonic
    _count: Count = field(default_factory=Count, init=False)
    _stands: tuple[Standing, float] | None = field(default=None, init=False)
    _unseen: dict[str | None, float] = field(default_factory=dict, init=False)
    """Since when the digests of definitions are unseen by which runs wait, counted while in contact: after an outage,
    or a step of the database's clock, no replica was seen lately, although all live.
    """

    async def join(
        self, *, take_over: bool = False, guarded: bool = False, stopping: Callable[[], bool] = lambda: False
    ) -> Brought | None:
        """Bring the definitions, now that this replica is ready to work; ``take_over`` puts them on top. If ``guarded``,
        raise `WouldSupersede` rather than supersede what others run.

        What changes counts from the database's time: while that is not to be trusted, wait, or return
        None when ``stopping``.
        """

        def transaction(connection: Connection) -> Brought:
            brought = bring(
                connection,
                self.application,
                by=self.label,
                holder=self.holder,
                take_over=take_over,
                guarded=guarded,
                takeover_after=self.takeover_after,
            )
            statements.replica.mark_ready(connection, self.holder)
            notify(connection, self.application.name, DEFINITIONS)  # others see that this one has joined
            return brought

        while (brought := await self._join(transaction)) is None:
            if stopping():
                return None
            await asyncio.sleep(_LOOK_AGAIN)
        self._count = Count(at=self.clock())
        if brought.report is not None:
            self._say(str(brought.report))
        self._report(brought)
        self._tell(brought.order, brought.others)
        if brought.rules:
            await self._adopt(await self.database.read(lambda c: strangers(c, self.rows.application, self.holder)))
        return brought

    @property
    def look_every(self) -> float:
        """Seconds between two looks at the most, or it would count to more than `takeover_after`."""
        return self.takeover_after / 2

    def lose_contact(self) -> None:
        """Count no time until the next look: the database is away, for the others too perhaps."""
        self._count = self._count.out_of_contact()
        self._unseen.clear()

    def look(self, connection: Connection) -> Sight:
        """Return who lives and which definitions there are, for `follow`; in any transaction."""
        now = statements.schedule.database_time(connection)
        keys = located(connection, self.application).keys
        found = look(connection, self.application, self.holder)
        strange = strangers(connection, self.application.keyed(keys), self.holder)
        return Sight(now, *found, strange, keys, self.required.look(connection))

    async def follow(self, sight: Sight) -> None:
        """Move if it is time to; not by a clock that has just jumped."""
        if self.trusts is not None and not self.trusts(sight.database_time):
            self.lose_contact()
            return
        self.rows.stand(sight.keys)
        self.required.take(sight.higher)
        order, others = sight.order, sight.others
        is_ready = is_newer_ready(order, self.application.digest, others)
        self._count = self._count.after(self.clock(), is_ready=is_ready, long_enough=self.takeover_after)
        if self._next(order, others) is not None:
            try:
                done = await self._change(lambda c: carry_out(c, self.application, self.label, self.holder, self._next))
            except ClockJumped:
                self.lose_contact()
                return
            order, others = done.order, done.others
            self._report(done)
        self._tell(order, others)
        own = order.latest(self.application.digest)
        if own is not None and own.rules:
            await self._adopt(sight.strangers)

    def standing(self) -> str | None:
        """Return how they stand and what comes next; None if they are current, or not brought yet. For any thread."""
        held_back = self.required.sentence()
        if self._stands is None or self._stands[0].state in ("unknown", "current"):
            return held_back
        standing, at = self._stands
        return "; ".join(filter(None, (standing.text(self.clock() - at), held_back)))

    async def _join(self, transaction: Unit[Brought]) -> Brought | None:
        """Join; None while the time is not to be trusted and this would change a definition."""
        try:
            return await self._change(transaction)
        except ClockJumped:
            changes = await self.database.read(lambda c: sync(c, self.application, dry_run=True))
        if changes.added or changes.changed or changes.revived or changes.retired:
            return None
        return await self._brought(transaction)

    async def _change(self, transaction: Unit[Brought]) -> Brought:
        """Do what may replace definitions, quickly: what is due by them is planned before. Raises `ClockJumped`."""
        planned = by_trusted_time(partial(plan_outgoing, application=self.application), self.trusts)
        while await self.database.write(planned, timeout=patience(self.application)):
            pass
        return await self._brought(by_trusted_time(transaction, self.trusts))

    async def _brought(self, transaction: Unit[Brought]) -> Brought:
        """Bring the definitions, and take in the rows in which they stand then."""

        def and_rows(connection: Connection) -> tuple[Brought, Mapping[str, str]]:
            return transaction(connection), located(connection, self.application).keys

        brought, keys = await self.database.write(and_rows, timeout=patience(self.application))
        self.rows.stand(keys)
        return brought

    def _report(self, brought: Brought) -> None:
        """Report what people may not have meant."""
        report = brought.report
        if report is not None and report.retired:
            self.notify(SchedulesRetired(self.application.name, report.retired))
        for sentence in report.losses if report is not None else ():
            self._say(sentence, is_warning=True)
        if brought.warning is not None:
            self._say(brought.warning, is_warning=True)

    def _say(self, sentence: str, *, is_warning: bool = False) -> None:
        self.notify(Note(f'application "{self.application.name}": {sentence}', is_warning=is_warning))

    async def _adopt(self, found: Strangers) -> None:
        """Let runs whose definition nobody has any more go by these."""
        now = self.clock()
        self._unseen = {digest: self._unseen.get(digest, now) for digest in found.unseen}
        given_up = found.gone | {digest for digest, since in self._unseen.items() if now - since >= SEEN_WITHIN}
        if not given_up:
            return

        def transaction(connection: Connection) -> str:
            said = adopt(connection, self.application, self.holder, given_up)
            notify(connection, self.application.name, WORK)
            return said

        if said := await self.database.write(transaction):
            self._say(said)

    def _next(self, order: Order, others: Others) -> Move | None:
        return next_move(
            order,
            self.application.digest,
            others,
            self._count,
            starting=False,
            takeover_after=self.takeover_after,
            revision=self.application.revision,
        )

    def _tell(self, order: Order, others: Others) -> None:
        """Tell how these definitions stand when that has changed; the time that is left is no change."""
        now = stand(order, self.application.digest, others, self._count, takeover_after=self.takeover_after)
        before, self._stands = self._stands, (now, self.clock())
        if before is None or now.change != before[0].change:
            self._say(now.text(), is_warning=now.is_held_back)
