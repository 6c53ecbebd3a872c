"""The context that all runs of a replica share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lease.client import LeaseClient
from lease.database.database import Database

from ..definitions.application import Application
from ..definitions.rows import Rows
from ..jobs.processes.trust_page import TrustPages
from ..jobs.task_thread import TaskThread
from ..jobs.templates.templates import Templates
from ..store.herald import Herald
from ..telemetry.facts import Fact, Notify
from ..telemetry.spans import Carrier
from .loss_notes import LossNotes
from .writes.lane import Lane


@dataclass(frozen=True, slots=True)
class ReplicaContext:
    """The parts of a replica that its runs work with.

    The application, its database, the lease client with the heartbeat, the thread of async jobs,
    the trust pages of its runs, the callback for facts, the templates of children, the losses that
    are to be recorded, the rows of its schedules, the lane of their writes, and the herald that tells
    other replicas what may start.
    """

    application: Application
    database: Database
    client: LeaseClient
    tasks: TaskThread
    trust: TrustPages
    notify: Notify
    templates: Templates = field(default_factory=Templates)
    listeners: list[Callable[[Fact], None]] = field(default_factory=list)
    """Who hears of each fact at once, from its own thread; neither waits nor raises."""
    carrier: Carrier = lambda _: {}
    """Returns the variables that pass the span of a job on (`daemon.telemetry.spans`)."""
    losses: LossNotes = field(default_factory=LossNotes)
    rows: Rows = field(init=False)
    lane: Lane = field(init=False)
    herald: Herald = field(init=False)

    def __post_init__(self) -> None:
        """Give it its rows, its lane and its herald."""
        object.__setattr__(self, "rows", Rows(self.application))
        object.__setattr__(self, "lane", Lane(self.database))
        object.__setattr__(self, "herald", Herald(self.database, self.application.name))
