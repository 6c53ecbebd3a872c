"""The statements on the looks at runs at work: who asks for one, and the answer of the replica (`leased stack`)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, null, select, update

from lease.database.dialects import now, seconds_between
from lease.model import Grant

from ...tables import replica, run
from ..dialects import RUNNING, agrees, columns, has_grant

_KEPT = 60.0
"""Seconds for which a question is answered: whoever asked longer ago has gone."""


def asked() -> ColumnElement[bool]:
    """Return whether somebody waits for a look at a run."""
    return and_(run.c.look_asked_at.is_not(None), seconds_between(run.c.look_asked_at, now()) < _KEPT)


def ask(connection: Connection, run_id: int, by: str) -> datetime | None:
    """Record that somebody asks for a look at a run at work; return when, by the database's clock. None: it is not."""
    asking = update(run).where(run.c.id == run_id, agrees(run.c.state, RUNNING))
    values = {"look_asked_at": now(), "look_asked_by": by}
    found: datetime | None = connection.scalar(asking.values(**values).returning(run.c.look_asked_at))
    return found


def answer(connection: Connection, run_id: int, grant: Grant, text: str) -> None:
    """Record what was seen of a run at work, for all who have asked; nothing if another has it now."""
    answered = update(run).where(run.c.id == run_id, *has_grant(run, grant), agrees(run.c.state, RUNNING))
    connection.execute(answered.values(look=text, looked_at=now(), look_asked_at=null()))


def read(connection: Connection, run_id: int) -> Row[Any] | None:
    """Return (state, token, holder, look, looked_at, look_asked_by) of a run, and (host, pid, version) of its replica."""
    of_run = columns(run, "state token holder look looked_at look_asked_by")
    query = select(*of_run, *columns(replica, "host pid version"))
    both = run.outerjoin(replica, replica.c.holder == run.c.holder)
    return connection.execute(query.select_from(both).where(run.c.id == run_id)).one_or_none()
