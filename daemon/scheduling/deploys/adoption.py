"""The adoption of runs whose definition nobody has any more (rule 22).

Only pending ones: a run at work ends as it began. What waits of a schedule that was retired ends as cancelled, once no
living replica has that schedule as it was. Apart from the rollout, which alone asks for it, as that is about rule 21.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from ...definitions.application import Application
from ...definitions.schedule import Schedule
from ...states import SEEN_WITHIN
from ...store import statements
from ...store.called import called
from ...text import counted
from ..lease_names import lease_name
from ..plan import waits_for_predecessor
from ..renames import located


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of such runs: their numbers by schedule."""

    adopted: dict[str, int]
    cancelled: dict[str, int]

    def __str__(self) -> str:
        """Return it as text, such as ``2 runs of "nightly" will use its current definition``."""
        said = [
            f'{counted(number, "run")} of "{name}" will use its current definition'
            for name, number in self.adopted.items()
        ]
        said += [
            f'{counted(number, "run")} of "{name}" cancelled: it was retired' for name, number in self.cancelled.items()
        ]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Strangers:
    """The digests of definitions by which runs wait, and which neither this replica nor another has
    that was seen lately.
    """

    gone: frozenset[str | None]
    """All replicas that had them have ended."""
    unseen: frozenset[str | None]
    """A replica that has them has not ended, as far as is known: at most it was taken for dead."""


class Patience:
    """For how long the definitions of runs that wait have been unseen, counted while in contact.

    After an outage, or a step of the database's clock, no replica was seen lately, although all live.
    """

    def __init__(self) -> None:
        self._since: dict[str | None, float] = {}

    def lose_contact(self) -> None:
        """Count anew from the next look on."""
        self._since.clear()

    def given_up(self, found: Strangers, now: float) -> frozenset[str | None]:
        """Return those whose runs may be adopted, after a look at the monotonic time ``now``."""
        self._since = {digest: self._since.get(digest, now) for digest in found.unseen}
        return found.gone | {digest for digest, since in self._since.items() if now - since >= SEEN_WITHIN}


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


def adopt(connection: Connection, application: Application, holder: str, given_up: Collection[str | None]) -> Adopted:
    """Let the runs of ``given_up`` definitions that are strange still go by the definitions in the database, which are
    those of ``application``; end those of retired schedules.
    """
    statements.schedule.take_turn(connection, application.name)
    application = application.keyed(located(connection, application).keys)
    found = strangers(connection, application, holder)
    strange = (found.gone | found.unseen) & frozenset(given_up)
    adopted: dict[str, int] = {}
    if not strange:
        return Adopted({}, {})
    own = {schedule.name: schedule for schedule in application.schedules}
    digests = set(application.run_digests.values())
    waiting = statements.renames.pending_definitions(connection, application.name)
    names = {row.schedule for row in waiting if row.digest in strange}
    for row in statements.schedule.of_application(connection, application.name, lock=True, names=names):
        if row.retired_at is not None or row.run_digest not in digests:
            continue
        number = statements.renames.adopt(connection, application.name, row.name, strange, row.run_digest)
        if number:
            adopted[called(row)] = number
            _go_by(connection, application.name, own[row.name], row.run_digest)
    cancelled = statements.renames.cancel_retired(connection, application.name, strange)
    statements.ends.promote(connection, {(application.name, name) for name in cancelled})
    return Adopted(adopted, cancelled)


def _go_by(connection: Connection, application: str, schedule: Schedule, digest: str | None) -> None:
    """Let the pending runs of this definition, which have just been adopted, wait as it says: for which lease, and
    for one another, which the slots of a lock do not make them do, and one lease at the cost of all others.
    """
    lease = lease_name(application, schedule)
    statements.run.name_leases(
        connection, *(application, schedule.name, lease.base, lease.queue), per_run=lease.per_run, digest=digest
    )
    if waits_for_predecessor(schedule.overlap):
        statements.run.let_wait(connection, application, schedule.name, digest)
