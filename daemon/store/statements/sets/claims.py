"""The claims of runs: which may start, and that they run now under the grants of their leases."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, Integer, bindparam, exists, func, null, or_, select, update

from lease.database.dialects import now, seconds_between
from lease.database.held.statement import Statement
from lease.schema import free_or_stale, lease

from ....states import RunCause
from ...tables import Reader, run
from ..dialects import (
    MOMENT,
    PENDING,
    agrees,
    among_given,
    as_rows,
    at_last_chance,
    cause_of_run,
    chosen,
    given,
    in_rows,
    on_last_chance,
    parameter,
    pending,
)
from ..run import is_late, marked

Waiting = Literal["apart", "leases", "slots"]
"""For what the runs of a queue wait: each for its lease, in no queue of theirs or in one; or for the slots of a lock."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that may start, as its row says."""

    id: int
    lease_name: str
    on_last_chance: bool
    digest: str
    available_at: datetime
    slot_of: str | None = None
    """The lock of which its lease is a slot, if it is one."""


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The row of a run that has just been started."""

    id: int
    application: str
    schedule: str
    scheduled_for: datetime
    trigger: str
    lease_name: str
    available_at: datetime
    attempt: int
    params: str
    retry_of: int | None
    origin: int | None
    started_ago: float
    waited: float
    """The seconds since it could have started."""
    traceparent: str | None
    """The span of the request for it."""
    cause: RunCause


def candidates(  # noqa: PLR0917 - who claims what, beside what
    connection: Connection,
    application: str,
    other_digests: Sequence[str],
    holder: str,
    tried: Collection[str],
    limit: int,
    *,
    queue: str | None = None,
    slots: bool = False,
    last_chances: bool = True,
) -> list[Candidate]:
    """Lock runs of one ``queue`` that may start, but for those of ``other_digests``, and return them, the
    longest due first; skip locked ones.

    Runs whose lease is visibly live, or was ``tried``, are left out: they would take the place of
    others; with ``slots`` each has yet to get one, and to be locked (see `lock`). So are runs on their last
    chance, if ``holder`` has one at work, or without ``last_chances``.
    """
    values = {"application": application, "other_digests": other_digests, "limit": limit, "of_holder": holder}
    values |= {"tried": list(tried), "of_queue": queue}  # for those of the statements that ask for them
    waiting: Waiting = "apart" if queue is None else "slots" if slots else "leases"
    rows = _CANDIDATES[waiting, last_chances](connection, values)
    return [Candidate(number, name, bool(chance), digest, at) for number, name, chance, digest, at in rows]


def lock(connection: Connection, runs: Iterable[Candidate], limit: int) -> set[int]:
    """Lock the first ``limit`` of these runs that still may start, and return their ids; skip locked ones."""
    ordered = as_rows((one.id, place, one.digest) for place, one in enumerate(runs))
    return {number for (number,) in _LOCK(connection, {"ordered": ordered, "limit": limit})}


def put_under(connection: Connection, runs: Iterable[tuple[int, str]]) -> None:
    """Write the names of the slots that these pending runs (id, lease) have got."""
    _PUT_UNDER(connection, {"slotted": as_rows(runs)})


def start(connection: Connection, ids: Collection[int], holder: str) -> list[StartedRun]:
    """Mark these pending runs as running under ``holder``'s grants of their leases; return them."""
    rows = _START(connection, {"ids": as_rows((number,) for number in ids), "of_holder": holder})
    return list(map(_STARTED.read, rows))


def _finding(waiting: Waiting, *, last_chances: bool) -> Statement:
    apart = or_(~at_last_chance(_of_holder), ~on_last_chance()) if last_chances else ~on_last_chance()
    live = exists().where(lease.c.name == run.c.lease_name, ~free_or_stale())
    under_own_lease = (~live, ~among_given(run.c.lease_name, "tried"))
    found = (
        select(run.c.id, run.c.lease_name, on_last_chance(), run.c.digest, run.c.available_at)
        .where(
            run.c.application == parameter("application"),
            run.c.queue.is_(None) if waiting == "apart" else run.c.queue == parameter("of_queue"),
            pending(),
            run.c.available_at <= MOMENT,
            run.c.digest.is_not(None),
            ~among_given(run.c.digest, "other_digests"),
            ~is_late(),
            ~marked(),
            apart,
            *(() if waiting == "slots" else under_own_lease),
        )
        .order_by(run.c.available_at, run.c.id)
        .limit(bindparam("limit"))
    )
    return Statement(found if waiting == "slots" else found.with_for_update(of=run, skip_locked=True, key_share=True))


_of_holder = parameter("of_holder")
_CANDIDATES = {
    (waiting, last_chances): _finding(waiting, last_chances=last_chances)
    for waiting in get_args(Waiting)
    for last_chances in (True, False)
}
_ordered = given("ordered", number=int, place=Integer, digest=str)
_startable = (agrees(run.c.state, PENDING), run.c.available_at <= MOMENT, ~marked())
_LOCK = Statement(
    select(run.c.id)
    .where(*in_rows(_ordered), agrees(run.c.digest, _ordered.c.digest), *_startable)
    .order_by(_ordered.c.place)
    .limit(bindparam("limit"))
    .with_for_update(of=run, skip_locked=True, key_share=True)
)
_slotted = given("slotted", number=int, lease=str)
_PUT_UNDER = Statement(
    update(run)
    .where(*in_rows(_slotted), agrees(run.c.state, PENDING))
    .values(lease_name=_slotted.c.lease)
    .returning(run.c.id)
)
_ids = given("ids", number=int)
_STARTED = Reader(
    StartedRun,
    run,
    started_ago=seconds_between(run.c.started_at, now()),
    waited=seconds_between(run.c.available_at, now()),
    cause=cause_of_run(),
)
_START = Statement(
    update(run)
    .where(
        chosen(run.c.id, select(_ids.c.number).scalar_subquery()),
        agrees(run.c.state, PENDING),
        lease.c.name == run.c.lease_name,
        agrees(lease.c.holder, _of_holder),
    )
    .values(
        state="running",
        token=lease.c.token,
        holder=lease.c.holder,
        attempt=run.c.attempt + 1,
        claimed_attempt=run.c.attempt + 1,
        started_at=func.coalesce(run.c.started_at, now()),
        reason=null(),
    )
    .returning(*_STARTED.columns)
)
