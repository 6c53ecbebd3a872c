"""The statements on `run`: on what it is named and waits for, the marks of those that are cancelled, the looks at those at
work, those that a clock has put off, and those that are late to finish or take long.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, case, func, literal, null, or_, select, union, update

from lease.database.dialects import later, now, seconds_between
from lease.database.held.statement import Statement
from lease.model import Grant

from ...states import LONG_LEVELS, LongLevel
from ..tables import ScheduleKey, present_name, replica, run, schedule
from . import dialects as sql


def extend(
    connection: Connection, application: str, name: str, *, scheduled_for: datetime, last: datetime, count: int
) -> int:
    """Extend a counted row to further instants; return the number of rows changed."""
    of_instant = (
        *sql.of_schedule(run, application, name),
        run.c.scheduled_for == scheduled_for,
        run.c.trigger == sql.SCHEDULED,
    )
    extended = update(run).where(*of_instant, run.c.last_scheduled_for.is_not(None))
    return connection.execute(extended.values(last_scheduled_for=last, count=count, finished_at=now())).rowcount


def name_leases(
    connection: Connection,
    application: str,
    name: str,
    lease_name: str,
    queue: str | None,
    *,
    per_run: bool,
    digest: str | None,
) -> None:
    """Set the lease name and the queue of a schedule's pending runs of this definition, which hold no lease."""
    wanted: ColumnElement[str] | str = lease_name + "/" + sql.number(run.c.id) if per_run else lease_name
    connection.execute(
        update(run)
        .where(
            *sql.of_schedule(run, application, name),
            sql.pending,
            run.c.digest.is_not_distinct_from(digest),
            or_(run.c.lease_name != wanted, run.c.queue.is_distinct_from(queue)),
        )
        .values(lease_name=wanted, queue=queue)
    )


def let_wait(connection: Connection, application: str, name: str, digest: str | None) -> None:
    """Let a schedule's pending runs of this definition wait for their predecessors, but for the first of all that do
    not wait: it starts when it would have, after its retry's wait, say.
    """
    ahead = run.alias("ahead")
    first = (
        select(ahead.c.id)
        .where(*sql.of_schedule(ahead, application, name), sql.unfinished(ahead), ahead.c.available_at.is_not(None))
        .order_by(ahead.c.state == sql.PENDING, ahead.c.scheduled_for, ahead.c.id)  # first one that is at work
        .limit(1)
    )
    waiting = (*sql.of_schedule(run, application, name), sql.pending, run.c.available_at.is_not(None))
    others = (*waiting, run.c.digest.is_not_distinct_from(digest), run.c.id != first.scalar_subquery())
    connection.execute(update(run).where(*others).values(available_at=null()))


def name_own_leases(connection: Connection, ids: Collection[int], base: str) -> None:
    """Give each of these pending runs, which hold no lease, one of its own."""
    these = (sql.among_keys(run.c.id, ids), sql.agrees(run.c.state, sql.PENDING))
    connection.execute(update(run).where(*these).values(lease_name=base + "/" + sql.number(run.c.id)))


def at_work(connection: Connection, application: str) -> list[int]:
    """Return the runs of an application that are recorded as running."""
    query = select(run.c.id).where(run.c.application == application, run.c.state == "running")
    return list(connection.scalars(query.order_by(run.c.id)))


def all_running(connection: Connection) -> list[Row[Any]]:
    """Return the runs that are at work, of all applications."""
    return list(connection.execute(select(run).where(sql.running).order_by(run.c.id)))


def read(connection: Connection, run_id: int) -> Row[Any] | None:
    return connection.execute(select(run).where(run.c.id == run_id)).one_or_none()


def leave_word(connection: Connection, run_id: int, grant: Grant, wait: float, reason: str | None) -> None:
    """Record what becomes of a run once it is settled: with a ``reason`` it has failed; else it waits."""
    ours = (run.c.id == run_id, sql.running, *sql.has_grant(run, grant))
    connection.execute(update(run).where(*ours).values(reason=reason, available_at=later(now(), wait)))


is_late = and_(sql.pending, run.c.start_by.is_not(None), run.c.start_by < sql.MOMENT, run.c.started_at.is_(None))
"""A run should have started by now but did not."""


def late(connection: Connection, application: str) -> list[str]:
    """Return the schedules with runs that should have started by now but did not."""
    query = select(run.c.schedule).where(run.c.application == application, is_late)
    return list(connection.scalars(query.distinct()))


def mark_missed(connection: Connection, application: str, names: Collection[str], limit: int) -> Counter[str]:
    """Mark up to ``limit`` late runs of these schedules, which are locked, as missed; return how many by schedule."""
    overdue = select(run.c.id).where(run.c.application == application, sql.among(run.c.schedule, names), is_late)
    longest = overdue.order_by(run.c.start_by).limit(limit).scalar_subquery()
    values = {"state": "skipped", "reason": "missed", "available_at": null(), "finished_at": now()}
    missed = update(run).where(run.c.id.in_(longest), is_late).values(**values)
    return Counter(connection.scalars(missed.returning(run.c.schedule)))


# The marks of cancelled runs (rule 23)
#
# A marked run never becomes pending. Every statement that ends a run or puts it back takes its values
# through `unless_marked`: whether a run is marked is known for certain only in the update of its row.


marked: ColumnElement[bool] = run.c.cancelled_at.is_not(None)
_by = func.coalesce(run.c.cancelled_by, "an unknown user").label("cancelled_by")


def unless_marked(values: Mapping[str, Any], remark: str | ColumnElement[str] = "") -> dict[str, Any]:
    """Return ``values`` for an unmarked run; for a marked one its end as cancelled, with a ``remark`` to the reason."""
    why = func.coalesce(literal(": ", Text) + run.c.cancelled_why, "")
    reason = literal("cancelled by ", Text) + _by + why + remark  # cancelled by ann@web-1: wrong file
    end = {"state": literal("cancelled", Text), "reason": reason, "finished_at": now()}
    ended = {name: case((marked, value), else_=values.get(name, run.c[name])) for name, value in end.items()}
    return {**values, **ended}


def lock(connection: Connection, run_id: int) -> Row[Any] | None:
    """Lock a run, whose schedule's row must be locked, and return it."""
    return connection.execute(select(run).where(run.c.id == run_id).with_for_update(key_share=True)).one_or_none()


def end_marked(connection: Connection, ids: Collection[int]) -> None:
    """Record the end of those of these runs that are marked and pending; they hold no lease."""
    values = unless_marked({"available_at": null(), "place_at": null(), "token": null(), "holder": null()})
    these = (sql.among_keys(run.c.id, ids), sql.agrees(run.c.state, sql.PENDING), marked)
    connection.execute(update(run).where(*these).values(**values))


def find_marked(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return (id, application, schedule) of pending runs that are marked: only an earlier version puts one back."""
    which = (sql.all_pending, marked, *sql.if_given(run.c.application, application))
    return list(connection.execute(select(run.c.id, run.c.application, run.c.schedule).where(*which)))


def find_told(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Return (id, cancelled_at, cancelled_by, cancelled_why, look_asked_by) of those of these runs that are not over and
    marked, or at which somebody asks for a look: ``look_asked_by`` says who, or is NULL.
    """
    asks = case((_asks_for_look(), func.coalesce(run.c.look_asked_by, "an unknown user"))).label("look_asked_by")
    query = select(run.c.id, run.c.cancelled_at, _by, run.c.cancelled_why, asks)
    told = and_(run.c.finished_at.is_(None), or_(marked, _asks_for_look()))
    return list(connection.execute(query.where(sql.among_keys(run.c.id, ids), told)))


_schedules = sql.given("schedules", application=str, name=str)
CHOSEN = (run.c.id, run.c.application, present_name(run), run.c.scheduled_for, run.c.state)


def find_unfinished(connection: Connection, schedules: Collection[ScheduleKey]) -> list[Row[Any]]:
    """Return (id, application, schedule, scheduled_for, state, cancelled_at) of the runs of these schedules that are
    not over. Those that wait come first, of each schedule those that are due last: whoever takes them in this order
    lets nobody go ahead who goes too, behind one of them or in its place under a lock.
    """
    query = (
        select(*CHOSEN, run.c.cancelled_at)
        .select_from(_schedules)
        .join(run, sql.same_schedule(run, _schedules))
        .where(sql.unfinished())
        .order_by(sql.agrees(run.c.state, sql.RUNNING), run.c.application, run.c.schedule)
        .order_by(run.c.scheduled_for.desc(), run.c.id.desc())
    )
    return list(connection.execute(query, {"schedules": sql.as_rows(sorted(schedules))}))


def lock_many(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Lock these runs and return (id, application, schedule, scheduled_for, state, cancelled_at) of each."""
    query = select(*CHOSEN, run.c.cancelled_at).where(sql.among_keys(run.c.id, ids)).order_by(run.c.id)
    return list(connection.execute(query.with_for_update(key_share=True)))


def mark_cancelled(connection: Connection, ids: Collection[int], by: str, why: str | None) -> None:
    """Mark these runs as cancelled, but for those that are marked or over."""
    these = (sql.among_keys(run.c.id, ids), run.c.finished_at.is_(None), ~marked)
    connection.execute(update(run).where(*these).values(cancelled_at=now(), cancelled_by=by, cancelled_why=why))


# The looks at runs at work: who asks for one, and the answer of the replica (`leased stack`)

_KEPT = 60.0
"""Seconds for which a question is answered: whoever asked longer ago has gone."""


def _asks_for_look() -> ColumnElement[bool]:
    """Return whether somebody waits for a look at a run."""
    return and_(run.c.look_asked_at.is_not(None), seconds_between(run.c.look_asked_at, now()) < _KEPT)


def ask_for_look(connection: Connection, run_id: int, by: str) -> datetime | None:
    """Record that somebody asks for a look at a run at work; return when, by the database's clock. None: it is not."""
    asking = update(run).where(run.c.id == run_id, sql.agrees(run.c.state, sql.RUNNING))
    values = {"look_asked_at": now(), "look_asked_by": by}
    found: datetime | None = connection.scalar(asking.values(**values).returning(run.c.look_asked_at))
    return found


def answer_look(connection: Connection, run_id: int, grant: Grant, seen: str) -> None:
    """Record what was seen of a run at work, for all who have asked; nothing if another has it now."""
    answered = update(run).where(run.c.id == run_id, *sql.has_grant(run, grant), sql.agrees(run.c.state, sql.RUNNING))
    connection.execute(answered.values(look=seen, looked_at=now(), look_asked_at=null()))


def read_look(connection: Connection, run_id: int) -> Row[Any] | None:
    """Return (state, token, holder, look, looked_at, look_asked_by) of a run, and (host, pid, version) of its replica."""
    of_run = sql.columns(run, "state token holder look looked_at look_asked_by")
    query = select(*of_run, *sql.columns(replica, "host pid version"))
    both = run.outerjoin(replica, replica.c.holder == run.c.holder)
    return connection.execute(query.select_from(both).where(run.c.id == run_id)).one_or_none()


# Those that a clock which had jumped has put off
#
# A start is written by the clock: that of a run that is put back, follows on another or takes its place. Only the
# start of a due instant is not, which is that instant and its `jitter`.


class Allowed(NamedTuple):
    """How much later the runs of a schedule may be meant to start, in seconds."""

    schedule: str
    run_digest: str
    digest: str
    jitter: float
    """After a due instant, by this definition."""
    wait: float
    """From now on."""


def find_late_starts(
    connection: Connection, application: str, queues: Collection[str], longest_wait: float
) -> set[str]:
    """Return the schedules with runs, in no queue or in these, that start in more than ``longest_wait`` seconds."""
    late = (run.c.application == application, sql.pending, run.c.available_at > later(sql.MOMENT, longest_wait))
    query = select(run.c.schedule).where(*late)
    return set(
        connection.scalars(union(query.where(run.c.queue.is_(None)), query.where(sql.among(run.c.queue, queues))))
    )


def start_put_off(connection: Connection, application: str, allowed: Iterable[Allowed]) -> int:
    """Let the runs start now that are to start later than is ``allowed``; return how many. How much later a due
    instant may start that was planned by another definition is not known: its run is left alone.
    """
    return len(_START(connection, {"of_application": application, "allowed": sql.as_rows(allowed)}))


_allowed = sql.given("allowed", schedule=str, run_digest=str, digest=str, jitter=float, wait=float)
_of_instant = and_(run.c.trigger == sql.SCHEDULED, run.c.attempt == 0)
_beyond_jitter = and_(
    schedule.c.digest == _allowed.c.digest,
    run.c.scheduled_for > schedule.c.changed_at,
    run.c.available_at > later(run.c.scheduled_for, _allowed.c.jitter),
)
_START = Statement(
    update(run)
    .where(
        *sql.of_schedule(run, sql.parameter("of_application"), _allowed.c.schedule),
        sql.same_schedule(schedule, run),
        sql.unfinished(),
        sql.pending,
        run.c.digest == _allowed.c.run_digest,
        run.c.available_at > later(now(), _allowed.c.wait),
        or_(~_of_instant, _beyond_jitter),
    )
    .values(available_at=now())
    .returning(run.c.id)
)


# Those that are late to finish: past their deadline and not over, told once

MOST_LATE = 100
"""So many are found at a time; others are found the next time."""


def take_late(connection: Connection, application: str) -> list[Row[Any]]:
    """Mark the runs that are late to finish and not marked yet, but for those that are to end, and those that
    another transaction has locked; return (id, schedule, state, finish_by) of each.
    """
    past = (run.c.finish_by.is_not(None), run.c.finish_by < sql.MOMENT, run.c.late_at.is_(None), ~marked)
    found = (
        select(run.c.id)
        .where(run.c.application == application, sql.unfinished(), *past)
        .order_by(run.c.finish_by)
        .limit(MOST_LATE)
        .with_for_update(skip_locked=True, key_share=True)
    )
    told = update(run).where(run.c.id.in_(found.scalar_subquery())).values(late_at=now())
    marked_now = connection.execute(told.returning(run.c.id, run.c.schedule, run.c.state, run.c.finish_by))
    return sorted(marked_now, key=lambda row: (row.finish_by, row.id))


def is_late_to_finish() -> ColumnElement[bool]:
    """Return the condition that a run did not succeed by its deadline; not of one skipped, cancelled or marked."""
    until = case((run.c.state == "succeeded", run.c.finished_at), else_=now())
    goes_on = or_(~marked, run.c.finished_at.is_not(None))
    asked = and_(run.c.finish_by.is_not(None), run.c.state.not_in(["skipped", "cancelled"]), goes_on)
    return and_(asked, run.c.finish_by < until)


def read_long(connection: Connection, ids: Collection[int], holder: str) -> list[Row[Any]]:
    """Return (id, application, schedule, key, running_for, told_long, definition) of those of the runs at a replica."""
    query = select(
        run.c.id,
        run.c.application,
        present_name(schedule).label("schedule"),
        run.c.schedule.label("key"),
        seconds_between(run.c.started_at, now()).label("running_for"),
        run.c.told_long,
        sql.definition_with("long").label("definition"),
    ).join(schedule, sql.same_schedule(schedule, run))
    return list(connection.execute(query.where(run.c.id.in_(ids), sql.running, run.c.holder == holder)))


def mark_long(connection: Connection, levels: Mapping[int, LongLevel], holder: str) -> list[int]:
    """Record up to which level each of these runs is told, but for those that another transaction has locked, or that
    this replica no longer executes; return the ids of the others.
    """
    level = case({run_id: 1 + LONG_LEVELS.index(level) for run_id, level in levels.items()}, value=run.c.id, else_=0)
    mine = and_(run.c.id.in_(levels), sql.running, run.c.holder == holder)
    free = select(run.c.id).where(mine).with_for_update(skip_locked=True, key_share=True)
    told = update(run).where(run.c.id.in_(free.scalar_subquery())).values(told_long=level)
    return list(connection.scalars(told.returning(run.c.id)))
