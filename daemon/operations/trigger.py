"""The trigger: a run that a person or a program requests, beside those that are due."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.codec import read_schedule
from ..definitions.values.refusal import Refusal
from ..definitions.values.tables import refuse_large
from ..errors import NotFound, NotRecordable
from ..scheduling.lease_names import lease_name
from ..scheduling.plan import waits_for_predecessor
from ..store import statements
from ..store.notices import WORK, notify
from ..text import suggestion
from .requester import recordable, requester


class NoSuchSchedule(NotFound):
    """No schedule of this name can be triggered."""


def trigger(
    connection: Connection,
    application: str,
    name: str,
    *,
    requested_by: str,
    why: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> int:
    """Write a run on request and return its id; it waits for an unfinished run, and is never
    dropped. Replicas hear of it with the commit.

    Raises `NoSuchSchedule`, and `NotRecordable` for a name, a reason or parameters that cannot be kept.
    """
    recordable("requested_by", requested_by)
    if why is not None:
        recordable("why", why)
    row = statements.schedule.lock(connection, application, name)
    if row is None or row.retired_at is not None:
        raise _no_such_schedule(connection, application, name, retired=row is not None)
    return _add(connection, row, params or {}, requested_by=requested_by, why=why)


def _add(
    connection: Connection, row: Row[Any], params: Mapping[str, Any], *, requested_by: str, why: str | None
) -> int:
    """Write a run of a schedule whose row is locked, and return its id."""
    application, name, schedule = row.application, row.name, read_schedule(row.definition)
    params = _small_enough({**schedule.params, **params}) if params else schedule.params
    waits = waits_for_predecessor(schedule.overlap) and bool(
        statements.schedule.still_running(connection, application, [name])
    )
    now = statements.schedule.database_time(connection)
    lease = lease_name(application, schedule)
    run_id = statements.run.add_manual(
        connection,
        {
            "application": application,
            "schedule": name,
            "scheduled_for": now,
            "trigger": "manual",
            "state": "pending",
            "lease_name": lease.base,
            "available_at": None if waits else now,
            "params": json.dumps(params),
            "requested_by": requested_by,
            "requested_why": why,
            "digest": row.run_digest,
            "created_at": now,
        },
    )
    if lease.per_run:
        statements.run.name_leases(connection, application, name, lease.base, per_run=True, digest=row.run_digest)
    statements.acts.record(
        connection, "trigger", by=requested_by, application=application, schedule=name, run_id=run_id, why=why
    )
    if not waits:  # else the end of the run before it tells
        notify(connection, application, WORK)
    return run_id


def _small_enough(params: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        refuse_large(params)
    except Refusal as error:
        raise NotRecordable(f"params: {'; '.join(map(str, error.args))}") from None
    return params


def trigger_now(connection: Connection, application: str, names: Iterable[str]) -> list[int]:
    """Write a run of each of these schedules for ``leased run --now``; return their ids.

    Their rows are locked in one order everywhere, so that two callers cannot block each other.
    """
    return [
        trigger(connection, application, name, requested_by=requester(), why="leased run --now")
        for name in sorted(names)
    ]


def _no_such_schedule(connection: Connection, application: str, name: str, *, retired: bool) -> NoSuchSchedule:
    if retired:
        return NoSuchSchedule(f'the schedule "{name}" of "{application}" is retired; define it again to run it')
    rows = statements.schedule.of_application(connection, application, lock=False)
    names = [row.name for row in rows if row.retired_at is None]
    return NoSuchSchedule(f'"{application}" has no schedule "{name}"; {suggestion(name, names)}')
