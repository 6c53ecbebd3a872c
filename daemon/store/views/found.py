"""The runs that people look for: by state, by text in the schedule's name, of a backfill; and the zones of their times."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, or_, select, tuple_

from ...states import RunState
from ..called import ScheduleKey, present_name
from ..policies import read_policies
from ..statements.dialects import among_keys
from ..tables import job_run, replica, run, schedule
from .history import RunLine, read_runs
from .names import keys_named

LOOKED_AT = 20_000
"""Run numbers, or runs of a schedule, that are searched at a time for what no index finds."""
Sought = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped", "missed", "crashed"]
"""A state of a run; or skipped because it was missed; or of which a process died."""


@dataclass(frozen=True, slots=True)
class RunSearch:
    """Which runs are looked for."""

    state: Sought | None = None
    application: str | None = None
    schedule: str | None = None
    text: str | None = None
    """In the schedule's name, ignoring case."""
    backfill: int | None = None

    @property
    def is_bounded(self) -> bool:
        """No index finds them: a rare state may be millions of runs back."""
        return self.schedule is None and self.backfill is None and bool(self.state or self.application or self.text)


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """Runs, the newest first, and where the next page begins."""

    runs: Sequence[RunLine]
    before: int | None
    """The next page has what was requested before this run; None: there is none."""
    is_partial: bool
    """The search ended before it had found as many as a page has: continue it at ``before``."""


def find_runs(connection: Connection, search: RunSearch, *, before: int | None, limit: int) -> FoundRuns:
    """Return the latest runs of a search; one that no index supports looks at `LOOKED_AT` numbers of runs at most."""
    known = state if (state := search.state) in get_args(RunState) else None
    which, bottom = list(_conditions(search)), None
    if search.is_bounded:
        bottom = _bottom(connection, before)
        which.append(run.c.id >= (bottom or 0))
    elif search.schedule is not None and search.state is not None:
        bottom = _bottom_of_schedule(connection, search.schedule, search.application, before)
        which += [] if bottom is None else [run.c.id >= bottom]
    if search.state == "crashed":
        which.append(_crashed(bottom, before) if search.is_bounded else _crashed(None, None))
    runs = read_runs(
        connection,
        limit=limit,
        application=None if search.is_bounded else search.application,
        schedule=search.schedule,
        state=known,  # type: ignore[arg-type]
        before=before,
        also=which,
    )
    if len(runs) == limit:
        return FoundRuns(runs, runs[-1].run_id, is_partial=False)
    return FoundRuns(runs, bottom, is_partial=bottom is not None)


def replicas_of(connection: Connection, run_ids: Collection[int]) -> dict[int, str]:
    """Return the replica, ``host:pid``, that made the last attempt of each of these runs, if that is known."""
    of_these = among_keys((job_run.c.run_id,), run_ids)
    last = select(func.max(job_run.c.id)).where(of_these).group_by(job_run.c.run_id)
    query = select(job_run.c.run_id, replica.c.host, replica.c.pid).join(replica, replica.c.holder == job_run.c.holder)
    return {of: f"{host}:{pid}" for of, host, pid in connection.execute(query.where(job_run.c.id.in_(last)))}


def zones_of(connection: Connection, run_ids: Collection[int]) -> dict[ScheduleKey, str]:
    """Return the time zones of the schedules of these runs, by application and name."""
    ours = select(run.c.application, run.c.schedule).where(among_keys((run.c.id,), run_ids))
    query = select(schedule.c.application, present_name(schedule), schedule.c.definition)
    rows = connection.execute(query.where(tuple_(schedule.c.application, schedule.c.name).in_(ours)))
    return {(of, name): read_policies(definition).timezone for of, name, definition in rows}


def _conditions(search: RunSearch) -> Iterator[ColumnElement[bool]]:
    if search.is_bounded and search.application is not None:
        # SQLite would take an index that begins with it, and sort all runs of the application.
        yield run.c.application.concat("") == search.application
    if search.state == "missed":
        yield run.c.state == "skipped"
        yield run.c.reason == "missed"
    if search.backfill is not None:
        yield run.c.backfill == search.backfill
    if search.text is not None:
        has_text = func.lower(present_name(schedule)).contains(search.text.lower(), autoescape=True)
        named = select(schedule.c.application, schedule.c.name).where(has_text)
        yield tuple_(run.c.application, run.c.schedule).in_(named)


def _crashed(bottom: int | None, before: int | None) -> ColumnElement[bool]:
    """Return the condition that an attempt of a run was abandoned, of runs between two numbers if they are given."""
    if bottom is None and before is None:
        return exists().where(job_run.c.run_id == run.c.id, job_run.c.state == "abandoned")
    of = job_run.c.run_id
    return run.c.id.in_(
        select(of).where(of >= (bottom or 0), of < (before or 2**63 - 1), job_run.c.state == "abandoned")
    )


def _bottom(connection: Connection, before: int | None) -> int | None:
    """Return the last number that is looked at; None if all that there are will be."""
    newest = select(func.max(run.c.id))
    if before is not None:
        newest = newest.where(run.c.id < before)
    oldest = select(func.min(run.c.id))
    last, first = connection.execute(select(newest.scalar_subquery(), oldest.scalar_subquery())).one()
    bottom = (last or 0) - LOOKED_AT + 1
    return bottom if first is not None and bottom > first else None


def _bottom_of_schedule(connection: Connection, name: str, application: str | None, before: int | None) -> int | None:
    """Return the last run of a schedule that is looked at for a state, which may be rare; None if all will be."""
    keys = keys_named(connection, name, application, retired=True)
    ours = or_(false(), *(and_(run.c.application == of, run.c.schedule == key) for of, key in keys))
    newest = select(run.c.id).where(ours).order_by(run.c.id.desc()).offset(LOOKED_AT - 1).limit(2)
    rows = connection.scalars(newest if before is None else newest.where(run.c.id < before)).all()
    return rows[0] if len(rows) > 1 else None
