"""The run that is meant by the name of a schedule."""

from typing import Literal, assert_never

from sqlalchemy import Connection, select

from ...errors import NotFound
from ...states import UNFINISHED
from ..statements.dialects import among_keys
from ..tables import run
from .names import keys_named

RunMeant = Literal["latest", "begun", "not skipped", "active"]
"""latest: the newest; begun, not skipped: the newest that is that, otherwise the newest; active: those that are not over."""
_MOST = 5
"""How many active runs are returned at most: enough to say which may be meant."""


def runs_meant(connection: Connection, application: str, name: str, meant: RunMeant) -> list[int]:
    """Return the numbers of the runs that are meant, the newest first; raises `NotFound` if there is none."""
    keys = keys_named(connection, name, application, retired=True)
    newest = select(run.c.id).where(among_keys((run.c.application, run.c.schedule), keys)).order_by(run.c.id.desc())
    latest = list(connection.scalars(newest.limit(1)))
    if not latest:
        raise NotFound(f'there is no run of "{name}" yet; `leased trigger {name}` requests one')
    match meant:
        case "latest":
            return latest
        case "begun":
            return list(connection.scalars(newest.where(run.c.started_at.is_not(None)).limit(1))) or latest
        case "not skipped":
            return list(connection.scalars(newest.where(run.c.state != "skipped").limit(1))) or latest
        case "active":
            found = list(connection.scalars(newest.where(run.c.state.in_(UNFINISHED)).limit(_MOST)))
            if not found:
                raise NotFound(f'no run of "{name}" is active; the latest is run {latest[0]}, and it is over')
            return found
        case _:
            assert_never(meant)
