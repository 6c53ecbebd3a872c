"""The statements on schedules that are renamed, and on waiting runs whose definitions no replica has any more."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, func, null, or_, select, update

from lease.database.dialects import now

from ...tables import backfill, pruned, run, schedule, trigger_key
from ..dialects import all_pending, among, of_schedule, pending, same_schedule
from ..dialects import unfinished as is_unfinished

NAMES = (schedule.c.application, schedule.c.name, schedule.c.called, schedule.c.former, schedule.c.retired_at)


def renamed(connection: Connection, application: str | None = None) -> list[Row[Any]]:
    """Return `NAMES` of the schedules that were renamed, of one application or of all; name is the key of the row."""
    query = select(*NAMES).where(schedule.c.called.is_not(None)).order_by(schedule.c.application, schedule.c.name)
    return list(connection.execute(query if application is None else query.where(_of(application))))


def of_names(connection: Connection, application: str, names: Collection[str]) -> list[Row[Any]]:
    """Return the same of the schedules in rows with these keys."""
    if not names:
        return []
    return list(connection.execute(select(*NAMES).where(_of(application), among(schedule.c.name, names))))


def with_history(connection: Connection, application: str, keys: Collection[str]) -> set[str]:
    """Return those of the rows with something to lose: runs, backfills, keys, a pause, or an instant that is due."""
    belongs = [exists().where(same_schedule(each)) for each in (run, backfill, pruned, trigger_key)]
    at_stake = or_(*belongs, schedule.c.paused_at.is_not(None), schedule.c.next_due <= now())
    query = select(schedule.c.name).where(_of(application), among(schedule.c.name, keys), at_stake)
    return set(connection.scalars(query))


def unfinished(connection: Connection, application: str, keys: Collection[str]) -> dict[str, dict[str, int]]:
    """Return how many runs of schedules are not over, by key and state."""
    theirs = (run.c.application == application, among(run.c.schedule, keys), is_unfinished())
    query = select(run.c.schedule, run.c.state, func.count()).where(*theirs)
    found: dict[str, dict[str, int]] = {}
    for key, state, count in connection.execute(query.group_by(run.c.schedule, run.c.state)):
        found.setdefault(key, {})[state] = count
    return found


def rename(connection: Connection, application: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what schedules (key, called, former, at) are called from now on."""
    for row in rows:
        renamed = update(schedule).where(_of(application), schedule.c.name == row["key"])
        values = {"called": row["called"], "former": row["former"], "changed_at": row["at"], "synced_at": row["at"]}
        connection.execute(renamed.values(**values))


def remove(connection: Connection, application: str, keys: Collection[str]) -> None:
    """Delete rows without any history, whose names others take."""
    if keys:
        connection.execute(delete(schedule).where(_of(application), among(schedule.c.name, keys)))


def _of(application: str) -> Any:
    return schedule.c.application == application


def pending_definitions(connection: Connection, application: str) -> list[Row[Any]]:
    """Return (schedule, digest, is_retired) of what pending runs were made from; the digest of 0.1.0's is None."""
    is_retired = schedule.c.retired_at.is_not(None).label("is_retired")
    query = select(run.c.schedule, run.c.digest, is_retired).join(schedule, same_schedule(schedule, run))
    return list(connection.execute(query.where(run.c.application == application, all_pending).distinct()))


def adopt(connection: Connection, application: str, name: str, strange: Collection[str | None], digest: str) -> int:
    """Give a schedule's pending runs of ``strange`` definitions its own; return how many there were."""
    strangers = update(run).where(*of_schedule(run, application, name), pending, _of_run(strange))
    return connection.execute(strangers.values(digest=digest, adopted_from=run.c.digest)).rowcount


def cancel_retired(connection: Connection, application: str, strange: Collection[str | None]) -> dict[str, int]:
    """End the pending runs of retired schedules that nobody has any more; return how many by schedule."""
    retired = exists().where(same_schedule(schedule, run), schedule.c.retired_at.is_not(None))
    ended = (
        update(run)
        .where(run.c.application == application, all_pending, retired, _of_run(strange))
        .values(state="cancelled", reason="retired", available_at=null(), place_at=null(), finished_at=now())
    )
    return dict(Counter(connection.scalars(ended.returning(run.c.schedule))))


def _of_run(digests: Collection[str | None]) -> ColumnElement[bool]:
    known = among(run.c.digest, [digest for digest in digests if digest is not None])
    return or_(known, run.c.digest.is_(None)) if None in digests else known
