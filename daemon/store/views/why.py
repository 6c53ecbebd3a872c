"""What is read of a run to say why it did not run, or waits, in the same statement as the run itself."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, Select, and_, case, exists, func, or_, select

from lease.database.dialects import seconds_until
from lease.schema import free_or_stale, lease

from ...states import LEADS, QUEUES_OF_PRIORITY, SEEN_WITHIN, Priority, SharedLock
from ...text import last_line
from ..statements import dialects as sql
from ..statements.agenda import BY_START, LIVE, taken
from ..statements.generation import read_run_digests
from ..statements.requests import placed
from ..statements.run import is_late, marked
from ..statements.schedule import replaced_by
from ..tables import act, generation, job_run, present_name, replica, run, schedule
from . import causes
from .causes import Why

_HIGHER: Mapping[Priority, Sequence[Priority]] = {"low": ["normal", "high"], "normal": ["high"], "high": []}
_Queue = tuple[str, str]
"""Its application, and its name."""


class _First(NamedTuple):
    """The first run of a queue."""

    waits_since: datetime
    """Since when it counts as waiting, by its priority."""
    run_id: int
    schedule: str


def _before(row: Row[Any], why: Why | None) -> Iterator[_Queue]:
    """Yield the queues of higher priority: its lock's, and if it waits for capacity also that of runs without slots."""
    if isinstance(why, causes.WaitsForPlace | causes.WaitsForSlot) and row.why_available_at is not None:
        priority, lock = _priority_and_lock(row.why_queue)
        for higher in _HIGHER[priority]:
            if lock:
                yield row.why_application, f"{higher} {lock}"
            if isinstance(why, causes.WaitsForPlace):
                yield row.why_application, higher


def _behind(row: Row[Any], why: Why | None, before: Iterable[_Queue], first: Mapping[_Queue, _First]) -> Why | None:
    ahead = min((first[queue] for queue in before if queue in first), default=None)
    if ahead is None or not isinstance(why, causes.WaitsForPlace | causes.WaitsForSlot):
        return why
    own = row.why_available_at - LEADS[_priority_and_lock(row.why_queue)[0]]
    return replace(why, run_id=ahead.run_id, schedule=ahead.schedule) if ahead.waits_since < own else why


def _priority_and_lock(queue: str | None) -> tuple[Priority, str]:
    priority, _, lock = (queue or "normal").partition(" ")
    return cast("Priority", priority), lock


def _read(connection: Connection, queues: Collection[_Queue], digests: Collection[str]) -> dict[_Queue, _First]:
    """Return the first run of each of these queues that may start now."""
    if not queues:
        return {}
    asked = sql.given("queues", application=str, name=str)
    free = or_(asked.c.name.contains(" "), ~exists().where(lease.c.name == run.c.lease_name, LIVE))
    may_start = (sql.pending, run.c.available_at <= sql.MOMENT, ~is_late, ~marked, ~sql.on_last_chance(), free)
    known = (run.c.application == asked.c.application, *may_start, sql.among(run.c.digest, digests))
    found = select(run.c.id).where(*known).order_by(*BY_START).limit(1).correlate(asked)
    first = case(
        (asked.c.name == "normal", found.where(run.c.queue.is_(None)).scalar_subquery()),
        else_=found.where(run.c.queue == asked.c.name).scalar_subquery(),
    )
    query = select(asked.c.application, asked.c.name, run.c.available_at, run.c.id, present_name(run))
    query = query.select_from(asked.join(run, run.c.id == first))
    rows = connection.execute(query, {"queues": sql.as_rows(sorted(queues))})
    return {
        (application, queue): _First(at - LEADS[_priority_and_lock(queue)[0]], run_id, schedule)
        for application, queue, at, run_id, schedule in rows
    }


_first, _under, _theirs = run.alias("ahead"), run.alias("under"), lease.alias("theirs")
_LATEST = 50
"""So many generations of an application are searched for the definition of a run that no living replica has."""


class KnownGenerations(NamedTuple):
    """What is known of an application's definitions and replicas."""

    generations: Mapping[str, tuple[int, bool]]
    """By the digest of a definition, the newest generation that has it, and whether a living replica has it."""
    lives: bool


_AS_IT_IS = (
    *("application", "state", "reason", "attempt", "digest", "queue", "available_at", "place_at", "backfill"),
    *("cancelled_at", "cancelled_by", "cancelled_why"),
)


def with_why(query: Select[Any]) -> Select[Any]:
    """Return a query of `run` with the columns that `whys` takes."""
    waits = and_(run.c.state == "pending", run.c.available_at.is_(None), placed())
    holder_of_first = select(_theirs.c.label).where(sql.is_under(_theirs, _first)).correlate(_first).scalar_subquery()
    own_lease = or_(run.c.queue.is_(None), run.c.queue.in_(QUEUES_OF_PRIORITY))
    held = and_(run.c.state == "pending", own_lease, lease.c.holder.is_not(None), ~free_or_stale())
    under = select(_under.c.id).where(_under.c.state == "running", sql.is_under(lease, _under)).limit(1)
    gone = or_(run.c.state == "pending", run.c.reason == "retired")
    pauses = (sql.same_schedule(act, run), act.c.act == "pause", act.c.acted_at < run.c.scheduled_for)
    pause = select(act.c.id).where(*pauses).order_by(act.c.acted_at.desc(), act.c.id.desc()).limit(1).correlate(run)
    return query.select_from(run.outerjoin(lease, lease.c.name == run.c.lease_name)).add_columns(
        *(run.c[name].label(f"why_{name}") for name in _AS_IT_IS),
        run.c.finished_at.label("why_until"),
        run.c.lease_name.label("why_lease"),
        case((and_(sql.pending, ~own_lease), _of_schedule(schedule.c.definition))).label("why_slots_of"),
        *sql.columns(run, "overlapped overlapped_by away_from start_by"),
        seconds_until(run.c.available_at).label("why_available_in"),
        case((and_(sql.pending, run.c.attempt > 0), last_error())).label("why_error"),
        seconds_until(run.c.place_at).label("why_place_in"),
        replaced_by.label("why_replaced_by"),
        case((gone, _of_schedule(schedule.c.retired_by))).label("why_retired_by"),
        case((gone, _of_schedule(schedule.c.retired_at))).label("why_retired_at"),
        case((waits, _ahead(_first.c.id))).label("why_ahead"),
        case((waits, _ahead(holder_of_first))).label("why_ahead_by"),
        case((held, func.coalesce(lease.c.label, lease.c.holder))).label("why_held_by"),
        case((held, under.correlate(lease).scalar_subquery())).label("why_run_under"),
        case((held, lease.c.granted_at)).label("why_held_since"),
        and_(sql.pending, sql.on_last_chance()).label("why_last_chance"),
        case((run.c.reason == "paused", pause.scalar_subquery())).label("why_pause"),
    )


def last_error() -> ScalarSelect[Any]:
    """Return the query for the error of the last attempt of a run that failed."""
    failed = (job_run.c.run_id == run.c.id, job_run.c.state == "failed")
    last = select(job_run.c.error).where(*failed).order_by(job_run.c.id.desc()).limit(1)
    return last.correlate(run).scalar_subquery()


def may_start_at() -> ColumnElement[Any]:
    """Return when a run may start: without a place yet, when it was requested for; NULL if a backfill feeds it."""
    requested_for = case((run.c.backfill.is_(None), run.c.place_at))
    return func.coalesce(run.c.available_at, requested_for, type_=run.c.available_at.type)


def whys(connection: Connection, rows: Sequence[Row[Any]]) -> list[Why | None]:
    """Return why each of the runs of a query `with_why` did not run, or waits; None of all others. Those that wait for
    capacity or a slot name the run that goes first because its priority is higher, if a living replica may run that.
    """
    unclaimed = {
        row.why_application
        for row in rows
        if row.why_state == "pending" and row.why_held_by is None and row.why_ahead is None
    }
    known = {application: _known(connection, application) for application in sorted(unclaimed)}
    pauses: dict[int, causes.Paused] = {}
    if acts := {row.why_pause for row in rows if row.why_pause is not None}:
        query = select(act.c.id, act.c.acted_by, act.c.acted_at, act.c.until, act.c.why)
        of_acts = connection.execute(query.where(sql.among_keys(act.c.id, sorted(acts))))
        pauses = {act_id: causes.Paused(*pause) for act_id, *pause in of_acts}
    full = _full(connection, {row.why_slots_of for row in rows if row.why_slots_of is not None})
    found = [_why(row, known, pauses, full) for row in rows]
    before = [tuple(_before(row, why)) for row, why in zip(rows, found, strict=True)]
    living = {digest for one in known.values() for digest, (_, lives) in one.generations.items() if lives}
    first = _read(connection, {queue for queues in before for queue in queues}, living)
    return [_behind(*one, first) for one in zip(rows, found, before, strict=True)]


def _why(
    row: Row[Any],
    known: Mapping[str, KnownGenerations],
    pauses: Mapping[int, causes.Paused],
    full: Mapping[str, causes.WaitsForSlot],
) -> Why | None:
    match row.why_state, row.why_reason:
        case "skipped", "overlap":
            return causes.Overlapped(row.overlapped, row.overlapped_by)
        case "skipped", "paused":
            return pauses.get(row.why_pause, causes.Paused())
        case "skipped", "replaced":
            return causes.Replaced(row.overlapped)
        case "skipped", "excluded":
            return causes.Excluded()
        case "skipped", "missed" if row.start_by is not None:
            return causes.StartWithinOver(row.start_by, row.away_from, row.why_until)
        case "skipped", "missed":
            return causes.NothingUp(row.away_from, row.why_until)
        case "cancelled" | "pending", _ if row.why_cancelled_at is not None:
            if row.why_replaced_by is not None:
                return causes.Replaced(row.why_replaced_by)
            return causes.Cancelled(row.why_cancelled_by, row.why_cancelled_why)
        case "cancelled", "retired":
            return causes.Retired(row.why_retired_by, row.why_retired_at)
        case "pending", _:
            return _waiting(row, known, full)
        case _:
            return None


def _waiting(row: Row[Any], known: Mapping[str, KnownGenerations], full: Mapping[str, causes.WaitsForSlot]) -> Why:
    if row.why_backfill is not None and row.why_place_at is not None and row.why_available_at is None:
        return causes.WaitsForBackfill(row.why_backfill)
    if row.why_place_at is not None and row.why_place_in > 0:
        return causes.WaitsForStart(row.why_place_at)
    if row.why_ahead is not None:
        return causes.WaitsForRun(row.why_ahead, row.why_ahead_by)
    if row.why_available_at is not None and row.why_available_in > 0:
        at, reason = row.why_available_at, last_line(row.why_error) or None
        return causes.WaitsForRetry(at, reason) if row.why_attempt else causes.WaitsForStart(at)
    if row.why_held_by is not None:
        return causes.WaitsForLock(row.why_lease, row.why_held_by, row.why_run_under, row.why_held_since)
    if row.why_slots_of in full:
        return full[row.why_slots_of]
    generations, any_lives = known[row.why_application]
    number, lives = generations.get(row.why_digest, (None, False))
    if not lives and row.why_digest is not None:
        return causes.WaitsForReplica(number, row.why_retired_by, row.why_retired_at, others=any_lives)
    return causes.WaitsForTurn() if row.why_last_chance else causes.WaitsForPlace()


def _of_schedule(column: ColumnElement[Any]) -> ScalarSelect[Any]:
    return select(column).where(sql.same_schedule(run)).correlate(run).scalar_subquery()


def _full(connection: Connection, definitions: Collection[str]) -> dict[str, causes.WaitsForSlot]:
    """Return of which of these definitions all slots are taken."""
    locks = {definition: json.loads(definition).get("lock") for definition in definitions}
    slots = {of: SharedLock(**lock) for of, lock in locks.items() if isinstance(lock, dict)}
    live = taken(connection, {lease for lock in slots.values() for lease in lock.leases}) if slots else set()
    return {of: causes.WaitsForSlot(*lock) for of, lock in slots.items() if live.issuperset(lock.leases)}


def _ahead(value: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return the query for a value of the first unfinished run of the schedule that waits for no other."""
    same = sql.same_schedule(_first, run)
    first = select(value).where(same, sql.unfinished(_first), _first.c.available_at.is_not(None))
    return first.order_by(_first.c.scheduled_for, _first.c.id).limit(1).correlate(run).scalar_subquery()


def _known(connection: Connection, application: str) -> KnownGenerations:
    """Return the definitions of an application's latest generations, and of those that living replicas run."""
    living = exists().where(
        replica.c.application == generation.c.application,
        replica.c.digest == generation.c.digest,
        replica.c.state == "running",
        -seconds_until(replica.c.seen_at) < SEEN_WITHIN,
    )
    numbers = select(func.max(generation.c.number) - _LATEST).where(generation.c.application == application)
    query = select(generation.c.number, generation.c.run_digests, living.label("lives")).order_by(generation.c.number)
    latest_or_living = or_(generation.c.number > numbers.scalar_subquery(), living)
    rows = connection.execute(query.where(generation.c.application == application, latest_or_living))
    found: dict[str, tuple[int, bool]] = {}
    any_lives = False
    for number, stored, lives in rows:
        any_lives = any_lives or bool(lives)
        for digest in read_run_digests(stored):
            found[digest] = (number, bool(lives) or found.get(digest, (0, False))[1])
    return KnownGenerations(found, any_lives)
