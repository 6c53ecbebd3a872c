"""What there is to do, and when: what a replica sleeps by, in one query."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..store import statements


@dataclass(frozen=True, slots=True)
class Agenda:
    """The known schedules of one application at one moment. Durations are in seconds from it; negative: overdue."""

    database_time: datetime
    until_due: float | None
    """Until there is something to plan: an instant, or a run that was to start by then (`start_within`)."""
    until_available: float | None
    """Until a run may be claimed; for one under another's lease, until that would go stale."""
    until_stale: float | None
    """Until a running run's lease goes stale, unless it is renewed; 0 or less: there is something to settle."""
    due: int
    """Schedules with instants to plan, and runs that were to start by now."""
    available: int
    """Runs that may be claimed now."""
    waiting: int
    """Runs that wait: for a retry, for their predecessor, or for a lease that is live."""
    running: int
    """Running runs, whoever runs them."""
    others_running: int
    """Those that are not this holder's."""

    @property
    def stranded(self) -> bool:
        """A run has lost its lease, and is to be settled."""
        return self.until_stale is not None and self.until_stale <= 0

    @property
    def idle(self) -> bool:
        """Nothing is due, running or waiting."""
        to_plan = self.due > 0 or (self.until_due is not None and self.until_due <= 0)
        return not to_plan and self.available == self.waiting == self.running == 0


def read_agenda(connection: Connection, application: str, known: Collection[str], holder: str | None = None) -> Agenda:
    """Look at the known schedules; ``holder`` is this replica. What runs of schedules unknown here concerns nobody here."""
    row = statements.agenda.look(connection, application, known, holder)
    return Agenda(**row._asdict())
