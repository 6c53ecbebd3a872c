"""What it means that FILE and its settings lead to another database, schema or application than before."""

from sqlalchemy import URL

from lease.database.address import describe, parse_address, place_of, schema_in
from lease.errors import LeaseError

from ...errors import DaemonError
from ...store.migrations.opening import opened_for_reading
from ...store.migrations.state import TablesMissing, refuse_other_than_newest, revision_of
from ...store.views import Remaining, read_remaining
from ...text import counted, when


def what_it_means(before: str, url_before: str, application: str, url: str) -> list[str]:
    """Return a sentence about each: what changes, what is left of the application ``before``, and what is due where the
    replicas go; none if they go where they were.
    """
    here, there = parse_address(url_before), parse_address(url)
    moves = (place_of(here), schema_in(here)) != (place_of(there), schema_in(there))
    if not moves and before == application:
        return []
    return [
        _change(before, here, application, there, moves=moves),
        _left(before, here, moves=moves),
        _due(application, there),
    ]


def _change(before: str, here: URL, application: str, there: URL, *, moves: bool) -> str:
    changes = []
    if before != application:
        changes.append(f'FILE now defines the application "{application}" instead of "{before}"')
    if moves:
        changes.append(f"the database is now {_shown(there)} instead of {_shown(here)}")
    return " and ".join(changes)


def _left(application: str, here: URL, *, moves: bool) -> str:
    of = f'of "{application}" in {_shown(here)}'
    try:
        left = _read(here, application)
    except (DaemonError, LeaseError) as error:
        return f"what is left {of} is unknown: {' '.join(str(error).split())}"
    if left is None or left == Remaining(0, 0, 0, None, 0, 0):
        return f"nothing is left {of}"
    remedy = "" if moves else f" To end it, use `leased retire --application {application}`."
    return (
        f"what is left {of}: {counted(left.schedules, 'schedule')} ({left.paused:,} paused), {left.running:,} running and "
        f"{left.waiting:,} waiting runs, and the history. When these replicas have drained, none of its schedules "
        f"run unless other replicas run them.{remedy}"
    )


def _due(application: str, there: URL) -> str:
    try:
        found = _read(there, application)
    except TablesMissing:
        found = None
    except (DaemonError, LeaseError) as error:
        return f'it is unknown what of "{application}" is due in {_shown(there)}: {" ".join(str(error).split())}'
    if found is None or found.schedules == 0:
        return (
            f'"{application}" has no schedule in {_shown(there)} yet: each starts now without missed runs, '
            "pause, history or idempotency keys"
        )
    overdue = f"; {found.overdue:,} of them have been due since {when(found.due_since)}, and catch up"
    return (
        f'"{application}" has {counted(found.schedules, "schedule")} ({found.paused:,} paused) and {found.waiting:,} waiting '
        f"runs in {_shown(there)}, which continue{overdue if found.overdue else '; none is overdue'}"
    )


def _read(address: URL, application: str) -> Remaining | None:
    with opened_for_reading(address) as connection:
        if connection is None:
            return None
        refuse_other_than_newest(revision_of(connection), address)
        return read_remaining(connection, application)


def _shown(address: URL) -> str:
    schema = schema_in(address)
    plain = describe(address)
    return plain if schema is None or "schema=" in plain else f"{plain}, schema {schema}"
