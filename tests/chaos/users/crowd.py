"""The processes of the users; a thread restarts those that were killed."""

import random
import signal
from dataclasses import dataclass
from typing import Any

from tests.support.marked import marked_environment
from tests.support.replicas import ReplicaProcess
from tests.support.waiting import wait_until

from ..diary import FOLDER
from ..fleet import Slot, Watched
from ..processes import Spawned
from ..site import Site
from .journal import TTL, URL
from .plans import PEOPLE

MODULE = "tests.chaos.users.user"
PATIENCE = 30.0
"""Seconds in which a user must have ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A user that ended by itself, or did not end on request."""

    user: str
    status: int | None
    """None: it had to be killed."""
    said: str


class Crowd(Watched):
    """All users, each in a slot for faults."""

    def __init__(self, site: Site, seed: int, ttl: float) -> None:
        given = {name: {URL: site.address(name), TTL: f"{ttl:g}"} for name in PEOPLE}
        slots = [Slot(name, (), marked_environment(FOLDER, site.folder, more)) for name, more in given.items()]
        super().__init__(slots, site.folder)
        self.ends: list[Ended] = []
        self._chance = random.Random(f"{seed}/users")

    def stop(self) -> None:
        """Tell all to end, and return when they have, or had to be killed."""
        self.leave_alone()
        replicas = [(slot, slot.replica) for slot in self.slots if slot.replica is not None]
        for _, replica in replicas:
            replica.send(signal.SIGTERM)
        for slot, replica in replicas:
            try:
                wait_until(lambda replica=replica: replica.status is not None, "it ends", limit=PATIENCE)  # type: ignore[misc]
            except AssertionError:
                replica.send(signal.SIGUSR1)  # it tells where its threads are
                replica.kill()
                self.ends.append(Ended(slot.name, None, replica.output[-2_000:]))
            else:
                if replica.status != -signal.SIGTERM:  # it had only just been started, and not begun
                    self._note(slot, replica)

    def look(self) -> None:
        for slot in self.slots:
            if slot.replica is not None and slot.replica.status is not None:
                self._note(slot, slot.replica)
                self.launch(slot)

    def launch(self, slot: Slot) -> None:
        log = self._folder / f"{slot.name}-{len(self.logs) + 1}.log"
        arguments = [slot.name, PEOPLE[slot.name], str(self._chance.randrange(1_000_000))]
        process: Any = Spawned(arguments, slot.environment, self._folder, log, module=MODULE)
        self.logs.append((slot.name, log))
        slot.replica = ReplicaProcess(slot.name, process, log)

    def _note(self, slot: Slot, replica: ReplicaProcess) -> None:
        if replica.status not in {0, -signal.SIGKILL}:  # a fault did that
            self.ends.append(Ended(slot.name, replica.status, replica.output[-2_000:]))
