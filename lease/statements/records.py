"""What the database has under the names of leases."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, case, func, select, type_coerce

from ..database.dialects import array_of, clock, now, seconds_between, seconds_of
from ..database.held.statement import Call, Rows, Statement
from ..model import Break, LeaseRecord
from ..schema import free_for, free_or_stale, lease, named
from ..waiters import parse_waiters


def read(connection: Connection, names: Sequence[str]) -> dict[str, LeaseRecord]:
    """Return what `reading` reads, in the transaction of ``connection``."""
    return reading(names)(connection)


def reading(names: Sequence[str]) -> Call[dict[str, LeaseRecord]]:
    """Return the call that reads what the database has under these names; a name never granted is missing."""
    return Call(_READ, {"names": array_of(names)}, _by_name)


def _by_name(rows: Rows) -> dict[str, LeaseRecord]:
    records = [record_of(row) for row in rows]
    return {record.name: record for record in records}


def list_prefix(
    connection: Connection, prefix: str, *, free: bool = True, after: str | None = None, limit: int | None = None
) -> list[LeaseRecord]:
    """Return the leases whose names begin with ``prefix``, by name, those after ``after``; without ``free`` only those
    that somebody has.
    """
    # SQLite's LIKE takes a letter for its capital; PostgreSQL's finds the place in the index. Some encodings count bytes.
    begins = lease.c.name.startswith(prefix, autoescape=True) & (
        func.substr(lease.c.name, 1, func.length(prefix)) == prefix
    )
    query = select(*columns()).where(begins).order_by(lease.c.name).limit(limit)
    query = query if after is None else query.where(lease.c.name > after)
    rows = connection.execute(query if free else query.where(lease.c.holder.is_not(None)))
    return [record_of(row) for row in rows]


def columns() -> list[ColumnElement[Any]]:
    """Return what `record_of` makes a record of."""
    held = lease.c.holder.is_not(None)
    return [
        lease.c.name,
        lease.c.token,
        lease.c.holder,
        lease.c.label,
        lease.c.granted_at,
        lease.c.renewed_at,
        case((held, seconds_between(lease.c.granted_at, now()))).label("held_for"),
        case((held, seconds_between(clock(), lease.c.expires_at))).label("expires_in"),
        type_coerce(~free_or_stale(), Boolean).label("live"),
        free_for().label("free_for"),
        lease.c.waiters,
        lease.c.broken,
        seconds_of(clock()).label("moment"),
    ]


def record_of(row: Sequence[Any]) -> LeaseRecord:
    """Return the record of a row of `columns`."""
    *fields, waiters, broken, moment = row
    values: tuple[Any, ...] = (*fields, parse_waiters(waiters, moment), None if broken is None else _break(broken))
    return LeaseRecord(*values)


def _break(kept: str) -> Break:
    values = json.loads(kept)
    return Break(**{**values, "at": datetime.fromisoformat(values["at"])})


_READ = Statement(select(*columns()).where(named))
