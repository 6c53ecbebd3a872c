"""The runs that a clock which had jumped has put off (ADR 14)."""

from collections.abc import Iterable

from sqlalchemy import Connection

from lease.database.backend import backend_of

from ..definitions.job import LONGEST_WAIT
from ..definitions.schedule import Schedule
from ..store import statements


def start_put_off(connection: Connection, application: str, schedules: Iterable[Schedule]) -> int:
    """Let those runs of ``schedules`` start now that are to start later than anything allows: their `jitter`, or the
    wait before a retry. Return how many. Where the database has a clock of its own, there are none.

    The transaction must trust the time (`by_trusted_time`).
    """
    if backend_of(connection).has_own_clock:
        return 0
    queues = {queue.name for one in schedules if (queue := one.queue) is not None}
    late = statements.put_off.find_late_starts(connection, application, queues, LONGEST_WAIT)
    allowed = [
        statements.put_off.Allowed(one.name, one.run_digest(), one.digest(), one.jitter, _longest_wait(one))
        for one in schedules
        if one.name in late
    ]
    return statements.put_off.start(connection, application, allowed) if allowed else 0


def _longest_wait(schedule: Schedule) -> float:
    return max((job.longest_wait for job in schedule.jobs), default=LONGEST_WAIT)
