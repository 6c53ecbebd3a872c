"""The deaths of replicas that this machine can prove without asking anybody, and the watch over them: the
kernel tells when the process of one ends (rule 18).
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Connection

from lease.clock import boot_id
from lease.timing import LeaseTiming

from ..jobs.processes.identity import ProcessIdentity, is_alive, pid_namespace
from ..store import statements


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A replica recorded as alive, of this boot and pid namespace, so that its process can be checked."""

    holder: str
    process: ProcessIdentity


def neighbours(connection: Connection) -> list[Neighbour]:
    """Return the replicas of this boot and pid namespace; none where no process can be judged."""
    namespace = pid_namespace()
    if namespace is None or not boot_id():
        return []
    found = statements.replica.living_of(connection, boot_id(), namespace)
    return [Neighbour(row.holder, ProcessIdentity(row.pid, row.start_time)) for row in found]


def proven_dead(found: Iterable[Neighbour]) -> frozenset[str]:
    return frozenset(one.holder for one in found if is_alive(one.process) is False)


MOST = 64
"""The neighbours that are watched, at most: each takes a descriptor, and jobs and connections need them more."""


class DeathWatch:
    """Tells when a neighbour of the replica ``holder`` has died, and once more when the last that
    it sent must have arrived; at no cost to the database.
    """

    def __init__(self, holder: str, timing: LeaseTiming) -> None:
        self._holder, self._timing = holder, timing
        self.died: Callable[[], None] = lambda: None
        self._is_closed = False
        self._watched: dict[str, int] = {}
        """The descriptor of the process of each, by its holder."""
        self._dead: set[str] = set()
        self._unwatched: set[str] = set()
        self._settling_until = 0.0

    @property
    def suffices(self) -> bool:
        """Whether no death of those that it follows is to be looked for: none that may not yet be settled,
        because what is left of its work has to end first, and none that the kernel does not tell of.
        """
        return not self._unwatched and monotonic() >= self._settling_until

    def follow(self, found: Iterable[Neighbour]) -> None:
        """Follow all neighbours that there are, and no others."""
        neighbours = {one.holder: one for one in found}
        for holder in self._watched.keys() - neighbours.keys():
            self._let_go(holder)
        self._dead &= neighbours.keys()
        self._unwatched &= neighbours.keys()
        self.follow_too(neighbours.values())

    def follow_too(self, found: Iterable[Neighbour]) -> None:
        known = {self._holder, *self._watched, *self._dead}
        for one in found:
            if one.holder not in known and not self._is_closed:
                self._watch(one)

    def close(self) -> None:
        self._is_closed = True
        for holder in list(self._watched):
            self._let_go(holder)

    def _watch(self, one: Neighbour) -> None:
        self._unwatched.discard(one.holder)
        if len(self._watched) >= MOST:
            self._unwatched.add(one.holder)
            return
        try:
            descriptor = os.pidfd_open(one.process.pid)
        except ProcessLookupError:
            self._ended(one.holder)
            return
        except (OSError, AttributeError):  # no descriptor is left, or the system has none for processes
            self._unwatched.add(one.holder)
            return
        self._watched[one.holder] = descriptor
        if is_alive(one.process) is False:  # it ended before, and another has its number
            self._ended(one.holder)
            return
        asyncio.get_running_loop().add_reader(descriptor, self._ended, one.holder)

    def _ended(self, holder: str) -> None:
        self._let_go(holder)
        self._dead.add(holder)
        self._settling_until = monotonic() + self._timing.ttl
        self.died()
        asyncio.get_running_loop().call_later(self._timing.attempt_timeout, self.died)

    def _let_go(self, holder: str) -> None:
        descriptor = self._watched.pop(holder, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
