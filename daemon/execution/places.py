"""The places of a replica in the queues of shared locks, so that neither programs that use the lock
library nor replicas starve the other.

Replicas do not queue up behind one another: they find what may start by looking. A lock that other
clients hold or wait for is free for moments only, and never when a replica looks; so the replica
takes a place there, and claims when its turn comes.
"""

from collections.abc import Collection

from sqlalchemy import Connection

import lease.statements
from lease.statements import Queue
from lease.waiters import LOOK

from ..store import statements
from .context import ReplicaContext


class Places:
    def __init__(self, context: ReplicaContext) -> None:
        self._context = context
        locks = [schedule.lock for schedule in context.application.schedules]
        # Where there are several slots, the next one that is free is taken, and no place is kept for one.
        self._locks = {lock.name for lock in locks if lock is not None and lock.slots == 1}

    async def keep(self) -> None:
        """Queue up where a run is due."""
        if not self._locks:
            return
        client, database, application = self._context.client, self._context.database, self._context.application.name
        names = await database.read(lambda c: sought(c, application, self._locks, client.holder))
        if names:
            # Rows that are locked are passed over.
            await database.write(lambda c: lease.statements.queue_up(c, sorted(names), client.holder, client.label))


def sought(connection: Connection, application: str, locks: Collection[str], holder: str) -> list[str]:
    """Return those of ``locks`` for which a run is due that others than replicas hold or wait for,
    and in whose queue ``holder`` has no place, or not for long any more.
    """
    names = statements.agenda.waiting_for(connection, application, locks)
    if not names:
        return []
    there = {queue: _holders(queue) for queue in lease.statements.read_queues(connection, names)}
    replicas = statements.replica.holders_among(connection, set().union(*there.values()))
    contended = [queue for queue, holders in there.items() if not holders <= replicas]
    return [queue.name for queue in contended if not _has_place(queue, holder)]


def _holders(queue: Queue) -> set[str]:
    waiting = {waiter.holder for waiter in queue.waiting}
    return waiting if queue.holder is None else {queue.holder, *waiting}


def _has_place(queue: Queue, holder: str) -> bool:
    return any(waiter.holder == holder and waiter.until > queue.moment + LOOK / 2 for waiter in queue.waiting)
