"""The search for runs that may start, in all queues that a replica knows (rule 14)."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import shuffle

from sqlalchemy import Connection

from ..definitions.values.queues import RunQueue
from ..shared_lock import SharedLock
from ..store import statements
from ..store.statements.sets.claims import Candidate


@dataclass(frozen=True, slots=True)
class Turn:
    """A run that may start, as it is compared with those of other queues."""

    candidate: Candidate
    waits_since: datetime
    """Since when it counts as waiting: longer or shorter than it does, by its priority."""
    lock: SharedLock | None = None
    """The lock of which it has yet to get a slot."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search of a claim, for up to ``limit`` runs."""

    connection: Connection
    application: str
    other_digests: list[str]
    holder: str
    tried: Collection[str]
    """The leases that were tried before."""
    limit: int
    last_chances: bool
    """Also for one that is on its last chance."""

    def candidates(self, queues: Collection[RunQueue]) -> list[Candidate]:
        """Return runs that may start, each with a lease that was free, those first that count as waiting longest."""
        locks = {queue.lock for queue in queues if queue.lock is not None}
        slots = self._free_slots(locks) if locks else {}
        found = self._find(None, self.limit)
        for queue in queues:
            found += self._find(queue, self.limit if queue.lock is None else min(self.limit, len(slots[queue.lock])))
        found.sort(key=lambda one: (one.waits_since, one.candidate.id))
        return list(_with_slots(found, slots))[: self.limit]

    def _find(self, queue: RunQueue | None, limit: int) -> list[Turn]:
        if limit <= 0:
            return []
        lock, lead = (None, timedelta()) if queue is None else (queue.lock, queue.lead)
        found = statements.claims.candidates(
            self.connection,
            *(self.application, self.other_digests, self.holder, self.tried, limit),
            queue=None if queue is None else queue.name,
            slots=lock is not None,
            last_chances=self.last_chances,
        )
        return [Turn(one, one.available_at - lead, lock) for one in found]

    def _free_slots(self, locks: Iterable[SharedLock]) -> dict[SharedLock, list[str]]:
        """Return the leases of each lock that may be granted, in an order of chance: other replicas look as well."""
        free = {lock: [name for name in lock.leases if name not in self.tried] for lock in locks}
        live = statements.queues.taken(self.connection, (name for names in free.values() for name in names))
        for lock, names in free.items():
            free[lock] = [name for name in names if name not in live]
            shuffle(free[lock])
        return free


def _with_slots(found: Iterable[Turn], slots: dict[SharedLock, list[str]]) -> Iterator[Candidate]:
    """Yield the runs, each of a lock with a slot of its own; those for which none is left are left out."""
    for one in found:
        if one.lock is None:
            yield one.candidate
        elif slots[one.lock]:
            yield replace(one.candidate, lease_name=slots[one.lock].pop(), slot_of=one.lock.name)
