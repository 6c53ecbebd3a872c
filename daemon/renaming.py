"""A run that goes back to pending runs next under the lease that its schedule has by then (rule 14)."""

from sqlalchemy import Connection

from . import statements
from .naming import lease_name
from .stored import UnreadableDefinition, read_schedule


def name_lease(connection: Connection, application: str, name: str) -> None:
    """Name the lease of a schedule's pending runs by its stored definition: a sync passes over running ones. Its row must be locked."""
    row = statements.schedule.lock(connection, application, name)
    if row is None:
        return
    try:
        lease = lease_name(application, read_schedule(row.definition))
    except UnreadableDefinition:  # a newer release wrote it; its replicas name the lease
        return
    statements.run.name_leases(connection, application, name, lease.base, per_run=lease.per_run)
