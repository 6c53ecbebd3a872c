"""This process as its row in the table of replicas: by that others can prove its death (rule 18)."""

import os
import socket

from lease.clock import boot_id

from ..jobs.processes.identity import identity, pid_namespace
from ..version import package_version
from .registry import ReplicaEntry


def own_entry(holder: str, application: str) -> ReplicaEntry:
    """Return what this process registers as."""
    me = identity(os.getpid())
    return ReplicaEntry(
        holder=holder,
        application=application,
        host=socket.gethostname(),
        pid=os.getpid(),
        start_time=me.start_time if me else 0,
        boot_id=boot_id() or None,
        pid_namespace=pid_namespace(),
        version=package_version(),
    )
