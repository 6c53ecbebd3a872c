"""What definitions retire of what living replicas run: all of it is refused, some of it is a warning (rule 21)."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row

from ...definitions.application import Application
from ...states import SEEN_WITHIN
from ...store import statements
from ...store.called import called, former_names
from ...text import listed
from ..generations import Generation, Order, Others, on_hosts
from ..generations.order import NO_REVISION, rank_of
from .sync import SyncReport, sync

_FEW = 5
"""How many schedules the refusal names."""


def refusal(connection: Connection, application: Application, order: Order, others: Others) -> str | None:
    """Return why definitions that have never ruled are refused: they would retire every schedule that living
    replicas run. None if they are not, or are not the newest.

    A higher revision than theirs says that it is meant; so does a take-over, which does not ask here.
    """
    own, living = order.latest(application.digest), others.living - {application.digest}
    if own is None or not own.is_staged or not order.is_newest(own):
        return None
    highest = max((_rank(order.latest(digest)) for digest in living), default=NO_REVISION)
    if rank_of(application.revision) > highest:
        return None
    rows = statements.schedule.of_application(connection, application.name, lock=False)
    lost = _run_by(connection, application.name, living, (row for row in rows if row.retired_at is None))
    if lost and lost <= set(sync(connection, application, dry_run=True).retired):
        return _refusal(connection, application, lost, highest)
    return None


def retired_of_living(
    connection: Connection, application: Application, retired: Collection[str], others: Others
) -> list[str]:
    """Return the schedules among the ``retired`` that living replicas of other definitions run."""
    living = others.living - {application.digest}
    if not retired or not living:
        return []
    rows = statements.schedule.of_application(connection, application.name, lock=False)
    named = (row for row in rows if called(row) in set(retired))
    return sorted(_run_by(connection, application.name, living, named))


def retirement(report: SyncReport, number: int, replaced: int | None) -> str:
    """Return which schedules generation ``number`` retired, as text; ``replaced`` is the one of which it kept none."""
    names = listed(report.retired)
    if replaced is None:
        return f"generation {number} retired {names}"
    return (
        f"generation {number} shares no schedule with generation {replaced}, and retired all of its schedules: {names}"
    )


def _run_by(connection: Connection, application: str, digests: Collection[str], rows: Iterable[Row[Any]]) -> set[str]:
    """Return what those schedules are called that definitions with these digests have, under whatever name."""
    known = statements.generation.schedules_of(connection, application, digests)
    return {called(row) for row in rows if not known.isdisjoint((called(row), *former_names(row)))}


def _rank(generation: Generation | None) -> int:
    return NO_REVISION if generation is None else rank_of(generation.counted)


def _refusal(connection: Connection, application: Application, lost: Collection[str], highest: int) -> str:
    rows = statements.generation.living_others(connection, application.name, application.digest, SEEN_WITHIN)
    replicas, names = on_hosts([row.host for row in rows]), sorted(lost)
    return (
        f'these definitions of "{application.name}" would retire all that {replicas} '
        f"{'runs' if len(rows) == 1 else 'run'}: {listed(names, _FEW)}. If they are another application, give it another name. "
        f'If schedules have other names now, say so (was = "{names[0]}"). If all is replaced on purpose, give a higher '
        f"revision (--revision {max(highest + 1, 1)}), or run `leased sync FILE --take-over` once; never put --take-over "
        "into a unit or manifest: each restart would take over again"
    )
