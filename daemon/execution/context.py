"""What every run of a replica shares."""

from dataclasses import dataclass

from lease.client import LeaseClient
from lease.database.database import Database

from ..definitions.model import Application
from ..jobs.task_thread import TaskThread
from ..telemetry.facts import Notify


@dataclass(frozen=True, slots=True)
class ReplicaContext:
    """The application, its database, the client of the heartbeat, the thread of async jobs, and who hears of facts."""

    application: Application
    database: Database
    client: LeaseClient
    tasks: TaskThread
    notify: Notify
