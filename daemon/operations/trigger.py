"""The trigger: a run that a person or a program requests, alongside those that are due (rule 23).

Its steps lock no schedule and set nothing, so that they fit into a transaction of the caller's own, on whatever
connection, open as long as it may be: the run is written *unplaced*, and takes its place behind others when a replica
sees it. All that can be refused is refused before anything is written.
"""

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Executable

from lease.database.backend import backend_of
from lease.durations import Duration, parse_duration

from ..definitions.schedule import Schedule, read_schedule
from ..definitions.values.refusal import Refusal
from ..definitions.values.strings import fitting, parsed
from ..errors import InvalidInstant, NotFound, NotRecordable
from ..instants import parse_instant
from ..scheduling.plan import MISSED_AFTER, lease_name
from ..scheduling.plan_due import place
from ..store import statements
from ..store.statements import acts, requests
from ..store.views.names import nearest_of
from ..telemetry.spans import trigger_span
from ..text import when
from .requester import recordable, requester

LONGEST_KEY = 200
"""Characters of a key."""
Rows = Sequence[Sequence[Any]]


class NoSuchSchedule(NotFound):
    """No schedule of this name can be triggered."""


class UnfitParameter(NotRecordable):
    """A parameter that the schedule does not declare, or of another type than it declares."""


class MomentHasPassed(InvalidInstant):
    """A run was requested for a moment that is past."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is requested: a run of a schedule, by whom, why, with what, and when."""

    application: str
    schedule: str
    requested_by: str
    why: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    """Further parameters as people write them; they are read as what they are declared to be."""
    key: str | None = None
    at: datetime | float | None = None
    """An instant, or seconds from now; None: at once."""
    traceparent: str | None = None
    """The span of this request, or of its caller, as W3C Trace Context writes it."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A run that was requested."""

    run_id: int
    already: bool
    """The same key had requested it before, and nothing was written; it may be over, or pruned by now."""
    at: datetime | None = None
    """When it takes its place, if it was requested for a later moment just now."""
    definition: Schedule | None = field(default=None, repr=False, compare=False)
    """That of its schedule; None if it was there already."""


Steps = Generator[Executable, Rows, Requested]
"""Each step is sent with a statement's rows, and yields the next statement."""


def request(
    application: str,
    schedule: str,
    *,
    requested_by: str,
    why: str | None = None,
    params: Mapping[str, Any] | None = None,
    words: Mapping[str, str] | None = None,
    key: str | None = None,
    at: datetime | Duration | None = None,
) -> Request:
    """Return the request; raises `NotRecordable` for what cannot be kept, and `InvalidInstant` for an
    ``at`` that is neither an instant (RFC 3339, or a `datetime` with a zone) nor a duration.
    """
    recordable("requested_by", requested_by)
    if not isinstance(schedule, str):
        raise NotRecordable(f"the schedule is {schedule!r}, which is not a name; write its name as a string")
    if why is not None:
        recordable("why", why)
    if key is not None:
        recordable("the key", key, longest=LONGEST_KEY)
    if params is not None and not isinstance(params, Mapping):
        raise UnfitParameter(f"params: {params!r} is not a mapping of names and values, such as {{'customer': 7}}")
    moment = None if at is None else _moment(at)
    return Request(application, schedule, requested_by, why, params or {}, words or {}, key, moment)


def steps(wanted: Request, *, notifies: bool) -> Steps:
    """Yield the statements that write the run, and return it.

    Raises `NoSuchSchedule`, `UnfitParameter` and `MomentHasPassed`.
    """
    if wanted.key is not None and (known := (yield requests.keyed(wanted.application, wanted.schedule, wanted.key))):
        return Requested(known[0][0], already=True)
    rows = yield requests.read(wanted.application, wanted.schedule)
    if not rows:
        renamed = yield requests.renamed(wanted.application)
        now_called = next((called for called, former in renamed if wanted.schedule in json.loads(former or "[]")), None)
        if now_called is not None:
            return (yield from steps(replace(wanted, schedule=now_called), notifies=notifies))
    if not rows or rows[0][2]:
        names = yield requests.names(wanted.application)
        application, name = wanted.application, wanted.schedule
        if rows:
            how = f"was retired by {rows[0][2]}; define it again to run it"
            raise NoSuchSchedule(f'the schedule "{name}" of "{application}" {how}')
        raise NoSuchSchedule(f'"{application}" has no schedule "{name}"; {nearest_of(name, [one for (one,) in names])}')
    definition, digest, _, seconds, key = rows[0]
    schedule, now = read_schedule(definition), datetime.fromtimestamp(float(seconds), UTC)
    params = _params(wanted, schedule)
    wanted = replace(wanted, schedule=key)
    values = _values(wanted, schedule, digest, now) | {"params": json.dumps(params)}
    if wanted.key is not None:
        while not (yield requests.take_key(wanted.application, wanted.schedule, wanted.key, now)):
            if known := (yield requests.keyed(wanted.application, wanted.schedule, wanted.key)):
                return Requested(known[0][0], already=True)
    ((run_id,),) = yield requests.add(values)
    if wanted.key is not None:
        yield requests.give_key(wanted.application, wanted.schedule, wanted.key, run_id)
    lease = lease_name(wanted.application, schedule)
    if lease.per_run:
        yield requests.name_lease(run_id, lease.of_run(run_id))
    starts_at = None if wanted.at is None else values["place_at"]
    effect = None if starts_at is None else f"it starts at {when(starts_at)}"
    of = {"application": wanted.application, "schedule": wanted.schedule, "run_id": run_id}
    yield acts.entry("trigger", by=wanted.requested_by, why=wanted.why, effect=effect, **of)
    if notifies:
        yield requests.tell(wanted.application)
    return Requested(run_id, already=False, at=starts_at, definition=schedule)


def carry(steps: Generator[Any, Rows, Requested], send: Callable[[Any], Rows]) -> Requested:
    """Take the steps over a connection, on which ``send`` runs a statement and returns its rows."""
    try:
        statement = next(steps)
        while True:
            try:
                rows = send(statement)
            except BaseException as error:  # noqa: BLE001 - the steps end what they have begun
                statement = steps.throw(error)
            else:
                statement = steps.send(rows)
    except StopIteration as done:
        requested: Requested = done.value
        return requested


def _values(wanted: Request, schedule: Schedule, digest: str | None, now: datetime) -> dict[str, Any]:
    """Return the row of the run: unplaced, whenever it is to be placed."""
    place_at, lease = _place_at(wanted, now), lease_name(wanted.application, schedule)
    return {
        "application": wanted.application,
        "schedule": wanted.schedule,
        "scheduled_for": place_at,
        "trigger": "manual",
        "state": "pending",
        "lease_name": lease.base,
        "queue": lease.queue,
        "place_at": place_at,
        "finish_by": schedule.finishes_by(place_at, on_request=True),
        "requested_by": wanted.requested_by,
        "requested_why": wanted.why,
        "digest": digest,
        "created_at": now,
        # Programs that make no spans can be newer than the tables.
        **({} if wanted.traceparent is None else {"traceparent": wanted.traceparent}),
    }


def _params(wanted: Request, schedule: Schedule) -> Mapping[str, Any]:
    try:
        written = parsed(wanted.schedule, schedule.params, wanted.words, schedule.secrets)
        return fitting(wanted.schedule, schedule.params, {**wanted.params, **written}, schedule.secrets)
    except Refusal as refusal:
        said = "; ".join(part for part in (refusal.problem, refusal.remedy) if part)
        raise UnfitParameter(f"params: {said}") from None


def _place_at(wanted: Request, now: datetime) -> datetime:
    match wanted.at:
        case None:
            return now
        case datetime():
            if now - wanted.at > timedelta(seconds=MISSED_AFTER):
                raise MomentHasPassed(
                    f"the run is requested for {when(wanted.at)}, but it is {when(now)} by the database's clock; "
                    "leave out the time to start it now"
                )
            return max(now, wanted.at)
        case seconds:
            try:
                return now + timedelta(seconds=seconds)
            except OverflowError:
                raise InvalidInstant("that duration ends outside the supported range of years") from None


def _moment(at: datetime | Duration) -> datetime | float:
    if isinstance(at, datetime):
        return parse_instant(at)
    try:
        return parse_duration(at)
    except ValueError as error:
        if isinstance(at, str) and at[:4].isdigit() and at[4:5] == "-":
            return parse_instant(at)
        raise InvalidInstant(
            f'"{at}" is neither a time like "2026-07-01T02:00:00Z" nor a duration like "15m"'
        ) from error


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
