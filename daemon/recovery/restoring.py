"""The preparation of a database restored from a backup, before it is worked on (rules 5, 12, 16).

Its tokens are those of the backup, and would be granted again; its replicas and their grants are of
a history that did not happen. So tokens are lifted above whatever was granted since, grants end,
and the runs that were at work go on, with nothing used up: how far they came, nobody here knows.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

import lease.statements
from lease.model import Grant

from ..errors import DaemonError
from ..states import SEEN_WITHIN
from ..store import statements
from ..store.statements.stranded import StrandedRun


class StillAtWork(DaemonError):
    """A replica or a client is at work on this database, which must not be."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done to a database that was restored."""

    token: int
    """What every lease's token is now, and where names that are new begin."""
    leases: int
    grants_ended: tuple[str, ...]
    runs_put_back: tuple[int, ...]
    runs_cancelled: tuple[int, ...]
    """Those that were marked as cancelled."""
    replicas_marked_dead: int


def prepare_restored(connection: Connection, *, by: int = 1, force: bool = False) -> Restored:
    """Prepare a database that was restored; raises `StillAtWork` unless ``force``."""
    if not force:
        _refuse_while_at_work(connection)
    statements.stranded.skip_numbers(connection)
    lifted = lease.statements.lift(connection, by)
    states = _put_back(connection)
    return Restored(
        token=lifted.token,
        leases=lifted.leases,
        grants_ended=lifted.ended,
        runs_put_back=tuple(run for run, state in states.items() if state == "pending"),
        runs_cancelled=tuple(run for run, state in states.items() if state != "pending"),
        replicas_marked_dead=statements.replica.mark_all_dead(connection),
    )


def _refuse_while_at_work(connection: Connection) -> None:
    replicas = [f"{row.host}:{row.pid}" for row in statements.replica.seen_lately(connection, SEEN_WITHIN)]
    held = [f"{row.name} by {row.label}" for row in lease.statements.held_now(connection)]
    found = [
        f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for what, names in (("replica", replicas), ("held lease", held))
        if names
    ]
    if found:
        raise StillAtWork(
            f"this database may be in use, by {' and '.join(found)}: stop everything that uses it, and try again "
            "after a minute, when the entries from the backup have expired; or add --force"
        )


def _put_back(connection: Connection) -> dict[int, str]:
    """Put back the running runs, or end those that are marked; return their states."""
    running = [
        StrandedRun(
            row.id, row.application, row.schedule, Grant(row.lease_name, row.token, row.holder), ended=True, lived=True
        )
        for row in statements.run.all_running(connection)
    ]
    if not running:
        return {}
    states = statements.stranded.stop_runs(connection, running)
    statements.stranded.end_jobs(connection, running, "stopped")
    over = {(run.application, run.schedule) for run in running if states.get(run.run_id) != "pending"}
    statements.claims.promote(connection, over)
    return dict(sorted(states.items()))
