"""The agenda of a replica: what there is to do and when, read in one query."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ...definitions.application import Known
from ...store import statements


@dataclass(frozen=True, slots=True)
class Agenda:
    """The work on the known schedules of an application, as of `database_time`.

    Durations are in seconds; a negative one is overdue.
    """

    database_time: datetime
    until_due: float | None
    """Until there is something to plan: an instant, a run that missed its `start_within`, or one that was
    requested for then, or by a backfill, and takes its place."""
    until_available: float | None
    """Until a run may be claimed; if its lease is held, until that lease would go stale. 0: now."""
    until_stale: float | None
    """Until the lease of a running run would go stale; 0 or less: there is something to settle."""
    due: bool
    """There is such a thing to plan now."""
    available: bool
    """A run may be claimed now."""
    pending: bool
    """A run is pending: it may be claimed, or waits for a retry, for its predecessor, or for a live lease.
    One that was requested for a moment to come is not meant: it is no more pending than an instant."""
    running: bool
    """A run is running, in whatever replica."""
    others_running: bool
    """A run of another holder is running."""
    due_next: str | None = None
    """The key of the schedule that is due first, `until_instant` from now."""
    until_instant: float | None = None

    @property
    def stranded(self) -> bool:
        """A run has lost its lease and must be settled."""
        return self.until_stale is not None and self.until_stale <= 0

    @property
    def idle(self) -> bool:
        return not (self.due or self.pending or self.running)

    def moments(self, *, has_room: bool) -> list[float | None]:
        """Return the seconds until there may be something to do, by what it is."""
        return [self.until_due, self.until_stale, *([self.until_available] if has_room else [])]


def read_agenda(connection: Connection, application: str, known: Known, holder: str | None = None) -> Agenda:
    """Return the agenda for the known schedules; ``holder`` is this replica."""
    while True:
        others = (known.other_digests, known.other_schedules)
        row = statements.agenda.read(connection, application, *others, holder)
        leases = {queue.name: queue.leases for queue in known.queues}
        queues = statements.queues.read(connection, application, leases, others[0], holder)
        digests = [*row.digests, *(digest for queue in queues for digest in queue.digests)]
        if not known.is_strange(digests, row.schedules):
            break
        known.meet(
            [*digests, *statements.agenda.digests(connection, application)],
            [*row.schedules, *statements.agenda.schedules(connection, application)],
        )
    is_due = row.until_due is not None and row.until_due <= 0
    is_to_be_placed = (row.until_place is not None and row.until_place <= 0) or row.fed_schedule is not None
    is_late = row.until_late is not None and row.until_late < 0
    waiting: list[statements.agenda.Found | statements.queues.InQueue] = [row, *queues]
    available = any(each.available is not None for each in waiting)
    return Agenda(
        database_time=row.database_time,
        until_due=_earliest([row.until_due, row.until_late, 0.0 if is_to_be_placed else row.until_place]),
        until_available=0.0
        if available
        else _earliest(at for each in waiting for at in (each.until_start, each.until_free)),
        until_stale=0.0 if row.put_back else row.until_stale,
        due=is_due or is_late or is_to_be_placed,
        available=available,
        pending=row.pending is not None,
        running=row.running is not None,
        others_running=bool(row.others_running),
        due_next=row.due_schedule,
        until_instant=row.until_due,
    )


def _earliest(moments: Iterable[float | None]) -> float | None:
    return min((seconds for seconds in moments if seconds is not None), default=None)
