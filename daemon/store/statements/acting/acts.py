"""The statements on `act`: what people did, and why (rule 23)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, insert

from lease.database.dialects import now

from ....states import Act
from ...tables import act


def record(
    connection: Connection,
    what: Act,
    *,
    by: str,
    application: str,
    schedule: str | None = None,
    run_id: int | None = None,
    why: str | None = None,
    effect: str | None = None,
) -> None:
    """Record an act, in the transaction that does it; an act without effect is none.

    ``effect`` is a sentence, where what came of it is not plain from the rest.
    """
    entered = entry(what, by=by, application=application, schedule=schedule, run_id=run_id, why=why, effect=effect)
    connection.execute(entered)


def record_of_each(
    connection: Connection,
    what: Act,
    schedules: Iterable[tuple[str, str, str | None]],
    *,
    at: datetime,
    by: str,
    why: str | None,
    until: datetime | None = None,
) -> None:
    """Record an act on each of these schedules (application, name, effect) at one moment."""
    rows = [{"application": application, "schedule": name, "effect": effect} for application, name, effect in schedules]
    if rows:
        same = {"acted_at": at, "acted_by": by, "act": what, "why": why, "until": until}
        connection.execute(insert(act), [{**same, **row} for row in rows])


def entry(what: Act, *, by: str, application: str, **about: Any) -> Executable:
    """Return what `record` executes, for other connections; it asks for no number, as a role may only insert."""
    return insert(act).inline().values(acted_at=now(), acted_by=by, act=what, application=application, **about)
