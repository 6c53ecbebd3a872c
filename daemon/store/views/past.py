"""The runs that failed, were missed or succeeded too late since a moment, even if later ones succeeded."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_never

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, literal, select, union_all

from ...text import counted, shortened, when
from ..called import present_name
from ..policies import read_policies
from ..reader import Reader
from ..statements.dialects import FAILED, SKIPPED, SUCCEEDED, if_given, of_schedule
from ..tables import run, schedule
from .overview import Overview
from .problems import Problem, naming

_next, _last = run.alias("next"), run.alias("last")


@dataclass(frozen=True, slots=True)
class Past:
    """The runs of a schedule that failed, were missed, or were late."""

    kind: Literal["failed", "missed", "late to finish"]
    application: str
    schedule: str
    count: int
    run_id: int
    """The last of them."""
    reason: str | None
    finish_by: datetime | None
    finished_at: datetime


def read_past(connection: Connection, since: datetime, application: str | None = None) -> list[Past]:
    """Return what happened since then. If a run was retried, only the retry counts; if a schedule has
    `catch_up = "skip"`, nothing that it missed does.
    """
    since_then = and_(*if_given(schedule.c.application, application), run.c.finished_at >= since)
    failed = and_(run.c.state == FAILED, ~exists().where(_next.c.retry_of == run.c.id))
    missed = and_(run.c.state == SKIPPED, run.c.reason == "missed")
    late = and_(run.c.state == SUCCEEDED, run.c.finish_by < run.c.finished_at)
    found = union_all(
        _grouped("failed", and_(failed, since_then)),
        _grouped("missed", and_(missed, since_then)),
        _grouped("late to finish", and_(late, since_then)),
    ).subquery()
    reader = Reader(
        Past,
        found,
        run_id=_last.c.id,
        reason=_last.c.reason,
        finish_by=_last.c.finish_by,
        finished_at=_last.c.finished_at,
    )
    query = select(*reader.columns, found.c.definition).join(_last, _last.c.id == found.c.last)
    query = query.order_by(found.c.kind, found.c.application, found.c.schedule)
    return [
        reader.read(row)
        for row in connection.execute(query)
        if row.kind != "missed" or read_policies(row.definition).catch_up != "skip"
    ]


def _grouped(kind: str, which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            literal(kind).label("kind"),
            schedule.c.application,
            present_name(schedule).label("schedule"),
            func.sum(run.c.count).label("count"),
            func.max(run.c.id).label("last"),
            schedule.c.definition,
        )
        .join(run, of_schedule(run))
        .where(which)
        .group_by(schedule.c.application, schedule.c.name)
    )


def past_problems(overview: Overview, past: list[Past], since: datetime) -> Iterator[Problem]:
    """Yield a problem for each, unless those of the present say as much."""
    named, lines = naming(overview), {(line.application, line.schedule): line for line in overview.schedules}
    for one in past:
        line = lines.get((one.application, one.schedule))
        if line is not None and (
            (one.kind == "failed" and one.count == 1 and line.finished_run_id == one.run_id)
            or (one.kind == "missed" and one.count <= line.left_out.missed)
        ):
            continue
        text = _sentence(one, named(one), since)
        yield Problem(one.kind, text, one.application, one.schedule, None if one.kind == "missed" else one.run_id)


def _sentence(one: Past, name: str, since: datetime) -> str:
    more = f"; {counted(one.count - 1, 'more run')} {{}} since {when(since)}" if one.count > 1 else ""
    match one.kind:
        case "missed":
            return f"{name} missed {counted(one.count, 'scheduled time')} since {when(since)}"
        case "failed":
            failed = f"run {one.run_id} of {name} failed at {when(one.finished_at)}: {shortened(one.reason or '')}"
            return failed + more.format("failed")
        case "late to finish":
            late = f"run {one.run_id} of {name} succeeded at {when(one.finished_at)}, after its deadline"
            return f"{late} {when(one.finish_by)}" + more.format("were late")
        case _:
            assert_never(one.kind)
