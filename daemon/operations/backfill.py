"""The backfill: a run of each past instant of a schedule that has not succeeded (rule 23); and acts on it as a whole."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row

from ..errors import CannotAct, NotFound
from ..scheduling.plan import LONGEST_STRETCH, lease_name
from ..store import statements
from ..store.notices import WORK, notify
from ..store.tables import called
from ..store.views.names import Called
from ..text import counted, number, when
from .backfill_plan import BackfillPlan, Split, SurveyedInstant, Wanted, plan_backfill
from .cancel import CancelledRun, ChosenRun, cancel_many
from .requester import refuse_unrecordable
from .retry import write_retries
from .selection import Selection, lock_planned, read_one


@dataclass(frozen=True, slots=True)
class Backfill:
    """What became of past instants, or would become of them."""

    backfill_id: int | None
    """Its number; None if nothing was written, because nothing is to run or this is but a look."""
    application: str
    schedule: str
    first: datetime
    last: datetime
    at_most: int
    instants: int
    """How many there are, from ``first`` to ``last``."""
    succeeded: int
    """So many had succeeded before."""
    under_way: int
    """So many wait or are at work already."""
    under_way_by: Sequence[int]
    """The backfills that requested those."""
    left_out: int
    """So many are on days that the schedule keeps free, or cannot be retried: they were forgotten, say."""
    will_run: int
    of_skipped: int
    """So many of these had been skipped."""
    of_failed: int
    """So many had failed, or were cancelled: they are retried."""
    of_none: int
    """So many had no run: the schedule was not due at them then."""
    dry_run: bool
    requested_by: str | None
    requested_why: str | None


def foresee_backfill(connection: Connection, wanted: Wanted) -> tuple[Backfill, Sequence[SurveyedInstant]]:
    """Return what a backfill would come to now, and what has become of each scheduled time, in order; nothing is
    written. Raises what `backfill` does.
    """
    planned = plan_backfill(connection, wanted, read_one(connection, wanted.application, wanted.schedule), lock=False)
    return _told(planned), planned.each


def backfill(connection: Connection, wanted: Wanted, *, requested_by: str, why: str | None = None) -> Backfill:
    """Request the runs of the past instants that have not succeeded and are not under way, in this transaction.

    What was skipped becomes pending, once; what failed or was cancelled gets a retry, with the same idempotency key;
    an instant at which the schedule was not due by its timing then gets a run. An instant inside a counted row is
    taken out of that. They run behind all other runs of the schedule, ``at_most`` so many at a time. Where nothing
    is to run, nothing is written.

    Raises `CannotAct`, `NotRecordable`, and what `lock_planned` does.
    """
    refuse_unrecordable(requested_by, why)
    (row,) = lock_planned(connection, Selection(wanted.application, wanted.schedule))
    planned = plan_backfill(connection, wanted, row, lock=True)
    done = replace(_told(planned), dry_run=False)
    if not planned.to_run:
        return done
    number_ = _write(connection, planned, requested_by, why)
    done = replace(done, backfill_id=number_, requested_by=requested_by, requested_why=why)
    effect = f"backfill {number_}, {when(wanted.first)} to {when(wanted.last)}: {counted_text(done)}"
    of = {"application": wanted.application, "schedule": row.name}
    statements.acts.record(connection, "backfill", by=requested_by, why=why, effect=effect, **of)
    notify(connection, wanted.application, WORK)
    return done


def counted_text(done: Backfill) -> str:
    """Return how many instants there are, and what becomes of them: ``37 scheduled times: 31 succeeded before, 6 will run``."""
    by = " and ".join(f"backfill {each}" for each in done.under_way_by)
    parts = [
        f"{number(done.succeeded)} succeeded before" if done.succeeded else None,
        f"{number(done.under_way)} under way{' by ' + by if by else ''}" if done.under_way else None,
        f"{number(done.left_out)} left out" if done.left_out else None,
        f"{number(done.will_run)} will run",
    ]
    return f"{counted(done.instants, 'scheduled time')}: {', '.join(part for part in parts if part)}"


def _write(connection: Connection, planned: BackfillPlan, by: str, why: str | None) -> int:
    wanted, row = planned.wanted, planned.row
    of = {"application": wanted.application, "schedule": row.name}
    asked = {"requested_by": by, "requested_why": why}
    span = {"first": wanted.first, "last": wanted.last, "at_most": wanted.at_most, "instants": planned.to_run}
    now = statements.schedule.database_time(connection)
    made = statements.backfills.add(connection, {**of, **span, **asked, "created_at": now})
    lease = lease_name(wanted.application, planned.schedule)
    params = json.dumps(dict(planned.schedule.params))
    by_definition = {"lease_name": lease.base, "queue": lease.queue, "params": params, "digest": row.run_digest}
    same = {**of, **asked, **by_definition, "backfill": made}
    for one in planned.splits:
        _write_split(connection, row, one)
    whole = [one for one in planned.splits if one.before is None and one.after is None]
    skipped = [one.run_id for one in planned.each if one.fate == "skipped" and one.run_id is not None]
    revived = [*skipped, *(one.row.run_id for one in whole)]
    # Of a row of which nothing is left, the first instant has a run: the row itself.
    taken = [instant for one in planned.splits for instant in (one.taken[1:] if one in whole else one.taken)]
    new = [*(one.instant for one in planned.each if one.fate == "none"), *taken]
    done = statements.backfills.revive(connection, same, revived) if revived else 0
    done += statements.backfills.add_runs(connection, same, new) if new else 0
    if done != len(revived) + len(new):
        raise CannotAct(f'the runs of "{wanted.schedule}" changed in the meantime; try again')
    if planned.retries:
        write_retries(connection, planned.retries, by=by, why=why, backfill=made)
    if lease.per_run:
        statements.run.name_leases(
            connection,
            *(wanted.application, row.name, lease.base, lease.queue),
            per_run=True,
            digest=row.run_digest,
        )
    return made


def _write_split(connection: Connection, row: Row[Any], done: Split) -> None:
    run_id, before, after = done.row.run_id, done.before, done.after
    if after is not None and before is not None:
        statements.backfills.add_counted(connection, run_id, after.first, after.last, after.count)
    if (left := before or after) is not None:
        statements.backfills.shrink(connection, run_id, left.first, left.last, left.count)
    if row.stretch_from == done.row.first:
        # The stretch goes on in the row of what is left behind, and is LONGEST_STRETCH more than that; or in one of its own.
        counted, start = (0, None) if after is None else (after.count, after.first)
        values = {"name": row.name, "stretch_count": LONGEST_STRETCH + counted, "stretch_from": start}
        statements.schedule.change(connection, row.application, [values])


def _told(planned: BackfillPlan) -> Backfill:
    """Return what the backfill comes to, of which nothing is written yet."""
    wanted, fates = planned.wanted, Counter(one.fate for one in planned.each)
    under_way_by = {one.backfill for one in planned.each if one.fate == "under way" and one.backfill is not None}
    return Backfill(
        *(None, wanted.application, called(planned.row), wanted.first, wanted.last, wanted.at_most),
        instants=len(planned.each),
        succeeded=fates["succeeded"],
        under_way=fates["under way"],
        under_way_by=sorted(under_way_by),
        left_out=fates["left out"],
        will_run=planned.to_run,
        of_skipped=fates["skipped"],
        of_failed=fates["failed"],
        of_none=fates["none"],
        dry_run=True,
        requested_by=None,
        requested_why=None,
    )


@dataclass(frozen=True, slots=True)
class ChangedBackfill:
    """A backfill to which something was done."""

    backfill_id: int
    application: str
    schedule: str
    paused: bool
    cancelled: bool
    already: bool
    """It was so before, and nothing was written."""
    runs: Sequence[CancelledRun]
    """The runs that were cancelled with it, and what that came to."""


def change_backfill(
    connection: Connection,
    what: Literal["pause", "resume", "cancel"],
    backfill_id: int,
    *,
    requested_by: str,
    why: str | None = None,
) -> ChangedBackfill:
    """Pause a backfill: no further run of it takes its place until it is resumed, and one that has its place goes on. Or
    cancel all of its runs that are not over: those that wait end at once, those at work are marked.

    Raises `NotFound`, `CannotAct`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    row = _locked(connection, backfill_id)
    name = Called(connection).name(row.application, row.schedule)
    is_so = row.cancelled_at is not None if what == "cancel" else (row.paused_at is not None) == (what == "pause")
    runs: Sequence[CancelledRun] = ()
    if not is_so and what == "cancel":
        found = [ChosenRun(*tuple(one)) for one in statements.backfills.unfinished_runs(connection, backfill_id)]
        if not found:
            raise CannotAct(f'backfill {backfill_id} of "{name}" has finished: it has no run left to cancel')
        cancelled_at = statements.schedule.database_time(connection)
        statements.backfills.change(connection, backfill_id, {"cancelled_at": cancelled_at})
        runs = cancel_many(connection, found, requested_by=requested_by, why=why, of=f"backfill {backfill_id}")
    elif not is_so:
        _refuse_over(row, name)
        paused_at = statements.schedule.database_time(connection) if what == "pause" else None
        statements.backfills.change(connection, backfill_id, {"paused_at": paused_at})
        # It is an act on the backfill: a pause of the schedule would be another thing.
        of = {"application": row.application, "schedule": row.schedule}
        effect = f"backfill {row.id} is {what}d"
        statements.acts.record(connection, "backfill", by=requested_by, why=why, effect=effect, **of)
        if what == "resume":
            notify(connection, row.application, WORK)
    now = statements.backfills.read(connection, row.id) or row
    is_paused, is_cancelled = now.paused_at is not None, now.cancelled_at is not None
    return ChangedBackfill(row.id, row.application, name, is_paused, is_cancelled, is_so, runs)


def _locked(connection: Connection, backfill_id: int) -> Row[Any]:
    """Lock the schedule of a backfill, and return the backfill."""
    row = statements.backfills.read(connection, backfill_id)
    if row is not None:
        statements.schedule.lock(connection, row.application, row.schedule)
        row = statements.backfills.read(connection, backfill_id)
    if row is None:
        raise NotFound(f"there is no backfill {backfill_id}; `leased backfills` lists them")
    return row


def _refuse_over(row: Row[Any], called: str) -> None:
    of = f'backfill {row.id} of "{called}"'
    if row.cancelled_at is not None:
        raise CannotAct(f"{of} was cancelled, so none of its runs waits; start a new one with `leased backfill`")
    if row.placed_at is not None:
        raise CannotAct(f"{of} has no waiting runs left; `leased cancel RUN` stops a running one")
