"""The backfills: the runs of past instants that were requested in one go, and what of them is there already (rule 23).

Their schedules are locked by whoever writes here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, insert, literal, null, select, true, update

from lease.database.dialects import Instant, insert_missing, now
from lease.database.held.statement import Statement

from ...tables import ScheduleKey, backfill, run
from ..dialects import PENDING, SCHEDULED, SKIPPED, agrees, among_keys, as_rows, columns, given, of_schedule, unfinished
from ..requests import WHEN_FED
from ..run import CHOSEN

_DUE = columns(run, "id scheduled_for last_scheduled_for count state reason backfill")


def oldest(connection: Connection, of: ScheduleKey) -> datetime | None:
    """Return the first instant of a schedule that has a run; None if none has."""
    return connection.scalar(select(run.c.scheduled_for).where(*_of(of)).order_by(run.c.scheduled_for).limit(1))


def due_between(connection: Connection, of: ScheduleKey, first: datetime, last: datetime) -> list[Row[Any]]:
    """Return the runs of the instants from ``first`` to ``last``, in their order, with counted ones that begin before."""
    before = select(*_DUE).where(*_of(of), run.c.scheduled_for < first).order_by(run.c.scheduled_for.desc()).limit(1)
    reach = [row for row in connection.execute(before) if (row.last_scheduled_for or row.scheduled_for) >= first]
    between = select(*_DUE).where(*_of(of), run.c.scheduled_for >= first, run.c.scheduled_for <= last)
    return [*reach, *connection.execute(between.order_by(run.c.scheduled_for))]


def retries(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Return (id, retry_of, state, backfill) of the runs that have tried these again."""
    query = select(run.c.id, run.c.retry_of, run.c.state, run.c.backfill)
    return list(connection.execute(query.where(among_keys(run.c.retry_of, ids))))


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a backfill, and return its number."""
    made: int = connection.execute(insert(backfill).values(**values).returning(backfill.c.id)).scalar_one()
    return made


def add_runs(connection: Connection, values: Mapping[str, Any], instants: Iterable[datetime]) -> int:
    """Insert a run for each of these instants, which have none; return how many were inserted."""
    rows = as_rows((instant,) for instant in instants)
    return len(_ADD(connection, {**{name: values[name] for name in _SAME}, "instants": rows}))


def revive(connection: Connection, values: Mapping[str, Any], ids: Collection[int]) -> int:
    """Let runs that were skipped wait for their turn in a backfill, each once; return how many do.

    Each goes by the present definition, and says by which it would have gone, as one that was adopted.
    """
    nothing = ("reason", "available_at", "start_by", "finish_by", "late_at", "finished_at", "last_scheduled_for")
    others = ("overlapped", "overlapped_by", "away_from")
    changed = run.c.digest.is_distinct_from(values["digest"])
    same = {name: values[name] for name in _SAME if name not in {"application", "schedule"}}
    skipped = (agrees(run.c.state, SKIPPED), run.c.backfill.is_(None))
    return connection.execute(
        update(run)
        .where(among_keys(run.c.id, ids), *skipped)
        .values(
            state="pending",
            count=1,
            place_at=WHEN_FED,
            adopted_from=case((changed, run.c.digest), else_=run.c.adopted_from),
            **same,
            **{name: null() for name in (*nothing, *others)},
        )
    ).rowcount


def shrink(connection: Connection, run_id: int, first: datetime, last: datetime, count: int) -> None:
    """Let a counted row stand for fewer instants."""
    shrunk = update(run).where(run.c.id == run_id)
    connection.execute(shrunk.values(scheduled_for=first, last_scheduled_for=last, count=count))


def add_counted(connection: Connection, like: int, first: datetime, last: datetime, count: int) -> None:
    """Insert a counted row for other instants, for which all else is as for that of the run ``like``."""
    other = {
        "scheduled_for": literal(first, Instant()),
        "last_scheduled_for": literal(last, Instant()),
        "count": literal(count, run.c.count.type),
    }
    values = {column.name: other.get(column.name, column) for column in run.c if column.name != "id"}
    connection.execute(insert(run).from_select(list(values), select(*values.values()).where(run.c.id == like)))


def read(connection: Connection, backfill_id: int) -> Row[Any] | None:
    return connection.execute(select(backfill).where(backfill.c.id == backfill_id)).one_or_none()


def change(connection: Connection, backfill_id: int, values: Mapping[str, Any]) -> None:
    """Update columns of a backfill."""
    connection.execute(update(backfill).where(backfill.c.id == backfill_id).values(**values))


def unfinished_runs(connection: Connection, backfill_id: int) -> list[Row[Any]]:
    """Return (id, application, schedule, scheduled_for, state) of the runs of a backfill that are not over."""
    query = select(*CHOSEN).where(run.c.backfill == backfill_id, unfinished())
    return list(connection.execute(query.order_by(run.c.scheduled_for.desc(), run.c.id.desc())))


def _of(of: ScheduleKey) -> Sequence[Any]:
    return *of_schedule(run, *of), run.c.trigger == SCHEDULED


_SAME = (
    *("application", "schedule", "lease_name", "queue", "params", "digest", "requested_by", "requested_why"),
    "backfill",
)
"""What all new runs of a backfill have in common."""
_instants = given("instants", instant=datetime)
_new = {
    "scheduled_for": _instants.c.instant,
    "trigger": SCHEDULED,
    "state": PENDING,
    "place_at": literal(WHEN_FED, Instant()),
    "created_at": now(),
    **{name: bindparam(name, type_=run.c[name].type) for name in _SAME},
}
_ADD = Statement(
    insert_missing(run)
    .from_select(list(_new), select(*_new.values()).select_from(_instants).where(true()))
    .returning(run.c.id)
)
