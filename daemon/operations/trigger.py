"""The trigger: a run that a person or a program requests, beside those that are due."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lease.database.backend import backend_of
from lease.durations import Duration

from ..scheduling.place import place
from ..store import statements
from ..telemetry.spans import trigger_span
from .request import NoSuchSchedule, Request, Requested, carry, request, steps
from .requester import requester

__all__ = ["NoSuchSchedule", "trigger", "trigger_as", "trigger_now"]


def trigger(
    connection: Connection,
    application: str,
    name: str,
    *,
    requested_by: str,
    why: str | None = None,
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    at: datetime | Duration | None = None,
) -> int:
    """Write a run on request and return its id; it waits for an unfinished run, or replaces it
    (`overlap = "replace"`), and is never dropped. Replicas hear of it with the commit.

    The same ``key`` of a schedule is the same run, also when that has been pruned. ``at`` an instant,
    or after a duration, it starts then.

    Raises `NoSuchSchedule`, `UnfitParameter`, `MomentHasPassed` and `InvalidInstant`, and
    `NotRecordable` for a name, a reason, a key or parameters that cannot be kept.
    """
    wanted = request(application, name, requested_by=requested_by, why=why, params=params, key=key, at=at)
    return trigger_as(connection, wanted).run_id


def trigger_as(connection: Connection, wanted: Request) -> Requested:
    """Write what is requested, in a transaction of our own, and return it; see `trigger`.

    A run that is to start now takes its place at once. The schedule is locked only now, after the key:
    whoever waits for another that has taken the same key holds up nobody.
    """
    notifies = backend_of(connection).listens

    def send(statement: Any) -> Any:
        done = connection.execute(statement)
        return done.all() if done.returns_rows else ()

    with trigger_span(wanted.application, wanted.schedule) as traceparent:
        done = carry(steps(replace(wanted, traceparent=traceparent or wanted.traceparent), notifies=notifies), send)
        if done.definition is not None and wanted.at is None:
            key = done.definition.name
            statements.schedule.lock(connection, wanted.application, key)
            place(connection, wanted.application, [(done.run_id, key)], {key: done.definition.overlap})
    return done


def trigger_now(connection: Connection, application: str, names: Iterable[str]) -> list[int]:
    """Write a run of each of these schedules for ``leased run --now``; return their ids.

    Their rows are locked in one order everywhere, so that two callers cannot block each other.
    """
    return [
        trigger(connection, application, name, requested_by=requester(), why="leased run --now")
        for name in sorted(names)
    ]
