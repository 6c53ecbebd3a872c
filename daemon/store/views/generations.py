"""The generations of an application, and which replicas run each."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select

from lease.database.dialects import now, seconds_between

from ...states import LIVE, SEEN_WITHIN, UNSEEN_IS_DEAD
from ..statements.dialects import among_keys, columns, if_given
from ..statements.generation import named
from ..tables import Reader, generation, replica
from .defined import PROBLEM_FOR, read_retired

_LOOKED_AT = 50
"""So many generations are searched for the one that changed a schedule."""


@dataclass(frozen=True, slots=True)
class RunBy:
    """A replica that runs a generation."""

    host: str
    pid: int
    is_ready: bool
    """It works, has been seen lately, and does not drain."""
    ready_for: float | None
    """Seconds; None if it has not been ready yet."""
    release: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationLine:
    """One generation, as it is recorded, and who runs it."""

    application: str
    number: int
    digest: str
    revision: int | None
    brought_by: str
    came_at: datetime
    ruled_at: datetime | None
    """When its definitions last came into the database; None: never."""
    superseded_at: datetime | None
    """When they last gave way to others."""
    rules: bool
    changes: str | None
    """What they changed when they came."""
    fingerprints: Mapping[str, tuple[str, str]] | None
    """By schedule, a digest of what execution reads and one of all; of those that rule or live, and the newest."""
    replicas: tuple[RunBy, ...] = ()
    counts: bool = True
    """Its revision does: no take-over under a lower one has come since."""
    replaced: int | None = None
    """The generation of which it kept no schedule when it became active."""
    replaced_schedules: tuple[str, ...] = ()
    """What it retired of that in the last 7 days and is retired still, unless that was acknowledged."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    away_for: float | None = None
    """Seconds since one of its replicas was last seen, if none is ready, or since its definitions came into
    the database, if that was later; None if neither is known.
    """


def read_generations(
    connection: Connection, application: str | None = None, *, limit: int = 20, dead: Collection[str] = ()
) -> list[GenerationLine]:
    """Return the ``limit`` generations of each application that came last, those that rule and those that
    living replicas run, the newest first. ``dead`` are holders whose death is proven.
    """
    seen = _replicas(connection, application)
    digests = {digest for (_, digest), theirs in seen.items() if any(_lives(one, dead) for one in theirs)}
    known = or_(generation.c.rules, among_keys(generation.c.digest, sorted(digests)))
    place = func.row_number().over(partition_by=generation.c.application, order_by=generation.c.number.desc())
    all_ = select(
        generation,
        case((or_(known, place == 1), generation.c.run_digests)).label("known"),
        seconds_between(generation.c.ruled_at, now()).label("ruled_ago"),
        place.label("place"),
    )
    some = all_.where(*if_given(generation.c.application, application)).subquery()
    reader = Reader(GenerationLine, some)
    kept_none = and_(some.c.replaced.is_not(None), some.c.acknowledged_at.is_(None), some.c.ruled_ago < PROBLEM_FOR)
    query = (
        select(*reader.columns, some.c.known, some.c.ruled_ago, some.c.discounted_at)
        .where(or_(some.c.place <= limit, some.c.known.is_not(None), kept_none))
        .order_by(some.c.application, some.c.number.desc())
    )
    rows: Sequence[Any] = connection.execute(query).all()
    gone = _replaced(connection, rows)
    lines = []
    for row in rows:
        theirs = seen.pop((row.application, row.digest), [])  # all of one digest run the last of its generations
        runs = tuple(_run_by(one) for one in theirs if _lives(one, dead))
        gone_for = [one.seen_ago for one in theirs if one.ready_for is not None]
        gone_for += [] if row.ruled_ago is None else [row.ruled_ago]
        lines.append(
            reader.read(
                row,
                fingerprints=_fingerprints(row.known),
                replicas=runs,
                counts=row.discounted_at is None,
                replaced_schedules=gone.get((row.application, named(row.number)), ()),
                away_for=None if any(one.is_ready for one in runs) else min(gone_for, default=None),
            )
        )
    return lines


@dataclass(frozen=True, slots=True)
class Diff:
    """What a generation changed when its definitions last came into the database."""

    number: int
    ruled_at: datetime
    changes: str | None
    """The report: ``schedules: 1 changed (a)``."""
    settings: Mapping[str, Mapping[str, tuple[Any, Any]]]
    """By schedule that it changed and by setting, what was before, and what is after."""


_DIFFS: Select[Any] = select(generation.c.number, generation.c.ruled_at, generation.c.changes, generation.c.diff)


def read_diffs(connection: Connection, generations: Collection[tuple[str, int]]) -> dict[tuple[str, int], Diff]:
    """Return what these generations changed, by application and number; those that were never active are left out."""
    which = among_keys((generation.c.application, generation.c.number), sorted(generations))
    query = _DIFFS.add_columns(generation.c.application).where(which, generation.c.ruled_at.is_not(None))
    rows = connection.execute(query)
    return {(row.application, row.number): _diff(row) for row in rows}


def last_diff(connection: Connection, application: str, name: str, since: datetime) -> Diff | None:
    """Return what the generation changed that changed a schedule last, at ``since``; None if that is not known."""
    which = (generation.c.application == application, generation.c.ruled_at >= since, generation.c.diff.is_not(None))
    rows = connection.execute(_DIFFS.where(*which).order_by(generation.c.ruled_at).limit(_LOOKED_AT))
    return next((found for row in rows if name in (found := _diff(row)).settings), None)


def _diff(row: Row[Any]) -> Diff:
    stored = json.loads(row.diff or "{}")
    settings = {name: {key: (before, after) for key, (before, after) in of.items()} for name, of in stored.items()}
    return Diff(row.number, row.ruled_at, row.changes, settings)


def _replaced(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Return the schedules that are to be acknowledged, by application and generation."""
    unseen = [row for row in rows if row.replaced is not None and row.acknowledged_at is None]
    keys = {(row.application, named(row.number)) for row in unseen}
    found: defaultdict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    for one in read_retired(connection, within=PROBLEM_FOR, by=keys) if keys else ():
        found[one.application, one.retired_by or ""] += (one.schedule,)
    return found


def _replicas(connection: Connection, application: str | None) -> dict[tuple[str, str], list[Any]]:
    query = select(
        *columns(replica, "application digest holder host pid state release"),
        seconds_between(replica.c.seen_at, now()).label("seen_ago"),
        seconds_between(replica.c.ready_at, now()).label("ready_for"),
    ).where(replica.c.digest.is_not(None), *if_given(replica.c.application, application))
    found: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in connection.execute(query.order_by(replica.c.host, replica.c.pid)):
        found[row.application, row.digest].append(row)
    return dict(found)


def _lives(row: Row[Any], dead: Collection[str]) -> bool:
    return row.state in LIVE and row.holder not in dead and row.seen_ago < UNSEEN_IS_DEAD


def _run_by(row: Row[Any]) -> RunBy:
    is_ready = row.state == "running" and row.ready_for is not None and row.seen_ago < SEEN_WITHIN
    return RunBy(row.host, row.pid, is_ready, row.ready_for, row.release)


def _fingerprints(stored: str | None) -> Mapping[str, tuple[str, str]] | None:
    known = json.loads(stored) if stored is not None else None
    return {name: (run, whole) for name, (run, whole) in known.items()} if isinstance(known, dict) else None
