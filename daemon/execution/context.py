"""The context that all runs of a replica share."""

from dataclasses import dataclass, field

from lease.client import LeaseClient
from lease.database.database import Database

from ..definitions.application import Application
from ..jobs.processes.trust_page import TrustPages
from ..jobs.task_thread import TaskThread
from ..jobs.templates.templates import Templates
from ..telemetry.facts import Notify
from .loss_notes import LossNotes
from .writes.lane import Lane


@dataclass(frozen=True, slots=True)
class ReplicaContext:
    """The parts of a replica that its runs work with.

    The application, its database, the lease client with the heartbeat, the thread of async jobs, the
    trust pages of its runs, the callback for facts, the lane of their writes, the templates of children,
    and the losses that are to be recorded.
    """

    application: Application
    database: Database
    client: LeaseClient
    tasks: TaskThread
    trust: TrustPages
    notify: Notify
    lane: Lane = field(init=False)
    templates: Templates = field(default_factory=Templates)
    losses: LossNotes = field(default_factory=LossNotes)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lane", Lane(self.database))
