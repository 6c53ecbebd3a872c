"""The retirement of an application that is gone for good: nobody waits for its replicas any more."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from ..definitions.application import Application
from ..errors import CannotAct
from ..recovery.settle import settle
from ..scheduling.deploys.sync import sync
from ..states import UNSEEN_IS_DEAD
from ..store import statements
from ..store.views.names import require_application
from ..text import counted, listed
from .requester import refuse_unrecordable


@dataclass(frozen=True, slots=True)
class RetiredApplication:
    """An application that is retired."""

    application: str
    schedules: tuple[str, ...]
    """Those that were retired with it."""
    cancelled: int
    """So many of its runs waited, and are cancelled."""
    already: bool
    """There was nothing to retire, and nothing was written."""


def nothing_of(application: str) -> Application:
    """Return the application without a schedule, which retires all that it had."""
    return Application(application, Path(), ())


def retire(
    connection: Connection, application: str, *, requested_by: str, why: str | None = None, dead: Collection[str] = ()
) -> RetiredApplication:
    """Retire all schedules of an application, end what waits of it as cancelled, and record that. What was due until
    now is planned first. If its FILE is run again, that is a deploy like any other.

    ``dead`` are holders whose death is proven. Raises `NotFound`, `CannotAct`, and `NotRecordable` for a name or
    reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    require_application(connection, application)
    statements.schedule.take_turn(connection, application)
    statements.replica.mark_dead(connection, require_dead(connection, application, dead))
    settle(connection, application)
    if left := statements.run.at_work(connection, application):
        raise CannotAct(
            f'"{application}" is not retired: run {left[0]} counts as running until its lease expires, at most '
            "one ttl after its replica stopped; try again then"
        )
    report = sync(connection, nothing_of(application), retired_by=requested_by)
    waiting = {row.digest for row in statements.renames.pending_definitions(connection, application)}
    cancelled = sum(statements.renames.cancel_retired(connection, application, waiting).values())
    ruled = statements.generation.let_none_rule(connection, application)
    already = not (report.retired or cancelled or ruled)
    if not already:
        effect = f"retired: {counted(len(report.retired), 'schedule')}; cancelled: {counted(cancelled, 'run')}"
        statements.acts.record(connection, "retire", by=requested_by, application=application, why=why, effect=effect)
    return RetiredApplication(application, report.retired, cancelled, already)


def require_dead(connection: Connection, application: str, dead: Collection[str]) -> list[str]:
    """Return the holders of an application that are recorded as alive and are not; raises `CannotAct`."""
    found = statements.replica.live(connection, application)
    living = [row for row in found if row.holder not in dead and row.seen_ago < UNSEEN_IS_DEAD]
    if living:
        named = listed([f"{row.host}:{row.pid}" for row in living], 3)
        verb, was = ("are", "were") if len(living) > 1 else ("is", "was")
        raise CannotAct(
            f'"{application}" is not retired: {named} {verb} running, or {was} seen in the last minute; stop its '
            "replicas first"
        )
    return [row.holder for row in found]
