"""The agenda of a replica: what there is to do and when, read in one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ...execution.next_step import LONGEST_WAIT
from ...store import statements


@dataclass(frozen=True, slots=True)
class Agenda:
    """The work on the known schedules of an application, as of `database_time`.

    Durations are in seconds; a negative one is overdue.
    """

    database_time: datetime
    until_due: float | None
    """Until there is something to plan: an instant, or a run that missed its `start_within`."""
    until_available: float | None
    """Until a run may be claimed; if its lease is held, until that lease would go stale."""
    until_stale: float | None
    """Until the lease of a running run would go stale; 0 or less: there is something to settle."""
    due: int
    """Schedules with instants to plan, and runs that missed their `start_within`."""
    available: int
    """Runs that may be claimed now."""
    waiting: int
    """Runs that wait for a retry, for their predecessor, or for a live lease."""
    running: int
    """Running runs of all replicas."""
    others_running: int
    """Running runs of other holders."""
    put_off: int
    """Runs that are to start later than any wait is long: a clock that had jumped wrote when."""

    @property
    def stranded(self) -> bool:
        """A run has lost its lease and must be settled."""
        return self.until_stale is not None and self.until_stale <= 0

    @property
    def idle(self) -> bool:
        """Nothing is due, running or waiting."""
        to_plan = self.due > 0 or (self.until_due is not None and self.until_due <= 0)
        return not to_plan and self.available == self.waiting == self.running == 0

    def moments(self, *, has_room: bool) -> list[float | None]:
        """Return the seconds until there may be something to do, by what it is."""
        return [self.until_due, self.until_stale, *([self.until_available] if has_room else [])]


def read_agenda(
    connection: Connection, application: str, known: Mapping[str, str], holder: str | None = None
) -> Agenda:
    """Return the agenda for the known schedules, given with the digests of what execution reads of them;
    ``holder`` is this replica.
    """
    row = statements.agenda.read(connection, application, known, holder, LONGEST_WAIT)
    return Agenda(**row._asdict())
