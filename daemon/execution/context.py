"""The context that all runs of a replica share, and its publisher, which sends notices after the commit that they are about
(rules 15 and 24); and the losses of leases that are still to be recorded.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from lease.client import LeaseClient
from lease.clock import boottime
from lease.database.address import without_secrets
from lease.database.backend import backend_of
from lease.database.database import Database
from lease.errors import StoreUnavailable
from lease.model import Grant, Loss

from ..definitions.application import Application, Rows
from ..jobs.processes.trust_page import TrustPages
from ..jobs.reports import LONGEST_MESSAGE
from ..jobs.task_thread import TaskThread
from ..jobs.templates.templates import Templates
from ..store import statements
from ..store.notices import WORK, notify
from ..telemetry.facts import Fact, Notify
from ..telemetry.spans import Carrier
from .writes.batcher import WriteBatcher
from .writes.transactions import truncate_for_db

# The losses of leases that are still to be recorded in their attempts

MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class LossNote:
    """An attempt whose lease was lost, and whose work ended at ``ended``, by `lease.clock.boottime`."""

    job_run_id: int
    grant: Grant
    loss: Loss
    ended: float


class LossNotes:
    """The notes that are not written yet, the latest `MOST_KEPT`.

    Mostly the database cannot be reached when a lease is lost, and later another replica has settled the attempt, and
    did not know. A note names the holder's own attempt, and leaves what a settler wrote.
    """

    def __init__(self) -> None:
        self._notes: deque[LossNote] = deque(maxlen=MOST_KEPT)
        self._writing = False

    def add(self, note: LossNote) -> None:
        self._notes.append(note)

    async def write(self, database: Database) -> None:
        """Write the notes; those that could not be written are kept. One call writes for all that come
        meanwhile: mostly all runs of a replica lose their leases at once.
        """
        if self._writing:
            return
        self._writing = True
        try:
            while notes := list(self._notes):
                await database.write(partial(_write, notes=notes))
                written = set(map(id, notes))
                self._notes = deque((note for note in self._notes if id(note) not in written), maxlen=MOST_KEPT)
        finally:
            self._writing = False


def _write(connection: Connection, notes: list[LossNote]) -> None:
    for note in sorted(notes, key=lambda note: note.job_run_id):
        why = truncate_for_db(note.loss.cause, LONGEST_MESSAGE)
        ago = boottime() - note.ended
        statements.job_run.note_loss(connection, note.job_run_id, note.grant, str(note.loss.kind), why, ago)


# What its runs share, and the notices


class Publisher:
    """Notifies other replicas that something may start.

    Nobody waits for it. What is said while notices are on their way goes with the next ones, so that
    there is one transaction at a time, however much happens.
    """

    def __init__(self, database: Database, application: str) -> None:
        self._database = database
        self._application = application
        self._listens = backend_of(database.url).listens
        self._has_work = False
        self._released: set[str] = set()
        self._moved_on: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self.has_audience = True
        """Whether other replicas of the application live, as far as is known: otherwise they are not told."""

    def say_work(self) -> None:
        """Notify the replicas of this application soon."""
        if self.has_audience:
            self._has_work = True
            self._send_soon()

    def say_released(self, lock: str, queues: Iterable[str] = ()) -> None:
        """Notify the replicas of all applications of which a run waits for this lock, or in one of these queues."""
        self._released.add(lock)
        self._moved_on.update(queues)
        self._send_soon()

    async def finish(self) -> None:
        if self._task is not None:
            await asyncio.wait({self._task})

    def _send_soon(self) -> None:
        if self._listens and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._has_work or self._released or self._moved_on:
            applications = {self._application} if self._has_work else set[str]()
            send = partial(_send, told=applications, locks=self._released, queues=self._moved_on)
            self._has_work, self._released, self._moved_on = False, set(), set()
            with suppress(StoreUnavailable):  # they look by themselves, later
                await self._database.read(send)


def _send(connection: Connection, *, told: set[str], locks: Collection[str], queues: Collection[str]) -> None:
    is_released = locks or queues
    waiting = statements.agenda.applications_waiting(connection, locks, queues) if is_released else []
    for application in sorted(told.union(waiting)):
        notify(connection, application, WORK)


@dataclass(eq=False)
class ReplicaContext:
    """The parts of a replica that its runs work with."""

    application: Application
    database: Database
    client: LeaseClient
    tasks: TaskThread
    trust: TrustPages
    notify: Notify
    templates: Templates = field(default_factory=Templates)
    listeners: list[Callable[[Fact], None]] = field(default_factory=list)
    """Who hears of each fact at once, from its own thread; neither waits nor raises."""
    carrier: Carrier | None = None
    """Returns the variables that pass the span of a job on (`daemon.telemetry.spans`); None: there is none."""
    losses: LossNotes = field(default_factory=LossNotes)

    def __post_init__(self) -> None:
        self.public_url = without_secrets(self.database.url)
        """The URL of the database without its password, for jobs."""
        self.rows = Rows(self.application)
        self.batcher = WriteBatcher(self.database)
        self.publisher = Publisher(self.database, self.application.name)
