"""What every run of a replica shares."""

from dataclasses import dataclass

from lease.client import LeaseClient
from lease.database import Database

from .definitions import Application
from .task_thread import TaskThread
from .watching import Watcher


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The application, its database, the heartbeat's client, the thread of async jobs, and who watches."""

    application: Application
    database: Database
    client: LeaseClient
    tasks: TaskThread
    watcher: Watcher
