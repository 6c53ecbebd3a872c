"""The database's time, and transactions that go by it only while it can be trusted (rule 13): on SQLite it is the machine's,
so a jump of that pauses planning. And the runs that a clock which had jumped has put off (ADR 14).
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from lease.clock import boottime
from lease.database.backend import backend_of
from lease.database.database import Unit

from ..definitions.schedule import LONGEST_WAIT, Schedule
from ..store import statements
from ..telemetry.facts import Note, Notify

JUMP = 30.0
"""Seconds. A smaller step makes no instant count as missed, and is followed at once."""
PATIENCE = 60.0
"""Seconds after which the new time is trusted: the clock has been corrected."""


class WallClock:
    """Judges readings of the wall clock, each with one of the clock since boot, and reports a jump.

    ``offset`` is how far the wall clock was ahead when a replica last registered in this boot; None if none has.
    """

    def __init__(self, notify: Notify, offset: float | None = None) -> None:
        self._notify = notify
        self._offset = offset
        self._new_offset: float | None = None
        self._since = 0.0

    def trusts(self, time: datetime) -> bool:
        """Return whether the time that the wall clock shows now agrees with earlier ones; if not, planning waits."""
        boot = boottime()
        offset = time.timestamp() - boot
        if self._offset is None or abs(offset - self._offset) < JUMP:
            is_back = self._new_offset is not None
            self._offset, self._new_offset = offset, None
            if is_back:
                self._notify(Note("the wall clock is back at the earlier time: planning resumes"))
            return True
        if self._new_offset is None or abs(offset - self._new_offset) >= JUMP:
            self._new_offset, self._since = offset, boot
            by, direction = abs(offset - self._offset), "forward" if offset > self._offset else "back"
            jumped = f"the wall clock jumped {direction} by {by:.0f}s"
            until = f"planning pauses until it is back, or has kept the new time for {PATIENCE:g}s"
            self._notify(Note(f"{jumped}: {until}", is_warning=True))
            return False
        if boot - self._since < PATIENCE:
            return False
        self._offset, self._new_offset = offset, None
        self._notify(Note(f"the wall clock has kept the new time for {PATIENCE:g}s: planning resumes with it"))
        return True


T = TypeVar("T")
Trusts = Callable[[datetime], bool]
"""Returns whether the database's time can be trusted: on SQLite it is the machine's clock (ADR 14)."""


class ClockJumped(Exception):
    """The time could not be trusted at the begin of a transaction, or no more at its end: nothing was done."""


def by_trusted_time(unit: Unit[T], trusts: Trusts | None) -> Unit[T]:
    """Return the transaction that does ``unit``, and is undone with `ClockJumped` unless the time can be trusted
    before and after it: a transaction may wait long for its turn, and each of its statements looks at the clock.

    ``trusts`` is None where the time can always be trusted.
    """
    if trusts is None:
        return unit

    def checked(connection: Connection) -> T:
        if not trusts(statements.schedule.database_time(connection)):
            raise ClockJumped
        done = unit(connection)
        if not trusts(statements.schedule.database_time(connection)):
            raise ClockJumped
        return done

    return checked


def part_by_trusted_time(connection: Connection, unit: Unit[T], trusts: Trusts | None) -> T | None:
    """Do ``unit`` as a part of a transaction, which goes on without it, with None, where the time can't be trusted."""
    if trusts is None:
        return unit(connection)
    try:
        with connection.begin_nested():
            return by_trusted_time(unit, trusts)(connection)
    except ClockJumped:
        return None


def start_put_off(connection: Connection, application: str, schedules: Iterable[Schedule]) -> int:
    """Let those runs of ``schedules`` start now that are to start later than anything allows: their `jitter`, or the
    wait before a retry. Return how many. Where the database has a clock of its own, there are none.

    The transaction must trust the time (`by_trusted_time`).
    """
    if backend_of(connection).has_own_clock:
        return 0
    queues = {queue.name for one in schedules if (queue := one.queue) is not None}
    late = statements.run.find_late_starts(connection, application, queues, LONGEST_WAIT)
    allowed = [
        statements.run.Allowed(one.name, one.run_digest(), one.digest, one.jitter, _longest_wait(one))
        for one in schedules
        if one.name in late
    ]
    return statements.run.start_put_off(connection, application, allowed) if allowed else 0


def _longest_wait(schedule: Schedule) -> float:
    return max((job.longest_wait for job in schedule.jobs), default=LONGEST_WAIT)
