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
    """Until a run may be claimed; if its lease is held, until that lease would go stale. 0: now."""
    until_stale: float | None
    """Until the lease of a running run would go stale; 0 or less: there is something to settle."""
    due: bool
    """There is an instant to plan, or a run has missed its `start_within`."""
    available: bool
    """A run may be claimed now."""
    pending: bool
    """A run is pending: it may be claimed, or waits for a retry, for its predecessor, or for a live lease."""
    running: bool
    """A run is running, in whatever replica."""
    others_running: bool
    """A run of another holder is running."""
    put_off: bool
    """A run is to start later than any wait is long: a clock that had jumped wrote when."""

    @property
    def stranded(self) -> bool:
        """A run has lost its lease and must be settled."""
        return self.until_stale is not None and self.until_stale <= 0

    @property
    def idle(self) -> bool:
        """Nothing is due, running or waiting."""
        return not (self.due or self.pending or self.running)

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
    time, instant, late, available, start, free, stale, marked, pending, running, others, put_off = row
    return Agenda(
        database_time=time,
        until_due=_earlier(instant, late),
        until_available=0.0 if available else _earlier(start, free),
        until_stale=0.0 if marked else stale,
        due=(instant is not None and instant <= 0) or (late is not None and late < 0),
        available=bool(available),
        pending=bool(pending),
        running=bool(running),
        others_running=bool(others),
        put_off=bool(put_off),
    )


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((seconds for seconds in (one, other) if seconds is not None), default=None)
