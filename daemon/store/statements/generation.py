"""The statements on `generation`, and on who lives of which."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, false, func, insert, null, or_, select, true, update

from lease.database.dialects import now, seconds_between

from ..tables import generation, replica
from .dialects import among, columns, if_given
from .replica import counted

_LATEST = 50
"""So many of the generations that come last are looked at, and those that a decision needs besides."""
_NEWEST: ColumnElement[int | None] = func.max(generation.c.number)


def latest(connection: Connection, application: str, digest: str, revision: int | None) -> list[Row[Any]]:
    """Return (number, digest, revision, ruled_at, rules, discounted_at) of the generations that come last
    by revision and number; of the last one that came; of the one that rules; of the last one with
    ``digest``; and of those with ``revision``.
    """
    of_application = generation.c.application == application
    counts_as = case((generation.c.discounted_at.is_(None), generation.c.revision), else_=null())
    place = (func.coalesce(counts_as, -1).desc(), generation.c.number.desc())
    numbers = select(generation.c.number).where(of_application)
    query = select(*columns(generation, "number digest revision ruled_at rules discounted_at")).where(
        of_application,
        or_(
            generation.c.number.in_(numbers.order_by(*place).limit(_LATEST)),
            generation.c.number.in_(numbers.where(generation.c.digest == digest).order_by(*place).limit(1)),
            generation.c.number == select(_NEWEST).where(of_application).scalar_subquery(),
            generation.c.rules,
            false() if revision is None else generation.c.revision == revision,
        ),
    )
    return list(connection.execute(query.order_by(generation.c.number)))


def newest_number(connection: Connection, application: str, digest: str | None = None) -> int | None:
    """Return the number of the generation that came last, if ``digest`` is given with these definitions; or None."""
    which = (generation.c.application == application, *if_given(generation.c.digest, digest))
    return connection.scalar(select(_NEWEST).where(*which))


def add(connection: Connection, application: str, values: Mapping[str, Any]) -> None:
    """Record a generation under the next number."""
    number = select(func.coalesce(func.max(generation.c.number), 0) + 1).where(generation.c.application == application)
    row = {**values, "application": application, "number": number.scalar_subquery(), "came_at": now()}
    connection.execute(insert(generation).values(**row, rules=False, in_lieu=False))


def let_rule(
    connection: Connection,
    application: str,
    number: int,
    *,
    in_lieu: bool,
    changes: str,
    diff: str | None = None,
    replaced: int | None = None,
) -> None:
    """Record that the definitions of this generation are those in the database from now on; ``replaced`` is the
    generation before, if they have no schedule of it.
    """
    told = {} if replaced is None else {"replaced": replaced}
    ruled = (generation.c.application == application, generation.c.rules, generation.c.number != number)
    connection.execute(update(generation).where(*ruled).values(rules=False, in_lieu=False, superseded_at=now()))
    connection.execute(
        update(generation)
        .where(*_is(application, number))
        .values(rules=True, in_lieu=in_lieu, ruled_at=now(), superseded_at=None, changes=changes, diff=diff, **told)
    )


def let_none_rule(connection: Connection, application: str) -> bool:
    """Record that no definitions of an application are in the database any more; return whether some were."""
    ruling = update(generation).where(generation.c.application == application, generation.c.rules)
    return connection.execute(ruling.values(rules=False, in_lieu=False, superseded_at=now())).rowcount > 0


def change(connection: Connection, application: str, number: int, **values: Any) -> None:
    """Update columns of a generation."""
    connection.execute(update(generation).where(*_is(application, number)).values(**values))


def discount(connection: Connection, application: str, numbers: Collection[int]) -> None:
    """Record that the revisions of these generations no longer count."""
    which = (generation.c.application == application, generation.c.number.in_(numbers))
    connection.execute(update(generation).where(*which).values(discounted_at=now()))


def named(number: int) -> str:
    """Return what a generation is called where it is recorded who retired a schedule."""
    return f"generation {number}"


def acknowledge(connection: Connection, application: str, number: int, by: str) -> None:
    """Record that somebody says that what this generation retired is meant."""
    change(connection, application, number, acknowledged_at=now(), acknowledged_by=by)


def read(connection: Connection, application: str, number: int) -> Row[Any] | None:
    return connection.execute(select(generation).where(*_is(application, number))).one_or_none()


def _is(application: str, number: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return generation.c.application == application, generation.c.number == number


def schedules_of(connection: Connection, application: str, digests: Collection[str]) -> set[str]:
    """Return the names of the schedules that definitions with these digests have, as far as that is known."""
    query = select(generation.c.run_digests).where(*_have(application, digests))
    stored = map(json.loads, connection.scalars(query))
    return {name for known in stored if isinstance(known, dict) for name in known}


def _have(application: str, digests: Collection[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return generation.c.application == application, among(generation.c.digest, digests)


def run_digests_of_others(
    connection: Connection,
    application: str,
    holder: str,
    seen_within: float,
    *,
    or_lost: bool = False,
    least_revision: int | None = None,
) -> set[str]:
    """Return the run digests of all schedules that the `others` have."""
    found = others(connection, application, holder, seen_within, or_lost=or_lost, least_revision=least_revision)
    known = _have(application, [row.digest for row in found if row.digest])
    query = select(generation.c.run_digests).where(*known)
    return {digest for stored in connection.scalars(query) for digest in read_run_digests(stored)}


def read_run_digests(stored: str) -> list[str]:
    """Return the run digests in what is stored of a generation's schedules: by name, the run digest and a
    digest of all; of a generation that was recorded before revision 0004, a list of the first alone.
    """
    known = json.loads(stored)
    return known if isinstance(known, list) else [run_digest for run_digest, _ in known.values()]


def living_others(
    connection: Connection, application: str, digest: str, seen_within: float, dead: Collection[str] = ()
) -> list[Row[Any]]:
    """Return (digest, host) of replicas of other definitions that were seen lately, do not drain, are not ``dead``."""
    query = select(replica.c.digest, replica.c.host).where(
        replica.c.application == application,
        replica.c.digest != digest,
        replica.c.state == "running",
        replica.c.holder.not_in(dead),
        seconds_between(replica.c.seen_at, now()) < seen_within,
    )
    return list(connection.execute(query))


def others(
    connection: Connection,
    application: str,
    holder: str | None,
    seen_within: float,
    *,
    or_lost: bool = False,
    least_revision: int | None = None,
    dead: Collection[str] = (),
) -> list[Row[Any]]:
    """Return (digest, ready_for) for each set of definitions that replicas besides ``holder`` run.

    ``ready_for`` is the seconds since the first of them was ready, or None; the digest of replicas of 0.1.0
    is None. They do not drain, and were seen in the last ``seen_within`` seconds; ``or_lost``: or may yet come
    back, because nobody knows that they have ended. Some of these were taken for dead for their silence.
    ``least_revision`` leaves out replicas of lower ones, and those whose revision does not count. Those that are
    ``dead``, although nobody has recorded that, do not count either.
    """
    ready_for = seconds_between(func.min(replica.c.ready_at), now()).label("ready_for")
    living = replica.c.state == "running"
    taken_for_dead = and_(
        replica.c.state == "dead", seconds_between(replica.c.seen_at, replica.c.stopped_at) > seen_within
    )
    seen = and_(living, seconds_between(replica.c.seen_at, now()) < seen_within)
    query = (
        select(replica.c.digest, ready_for)
        .where(
            replica.c.application == application,
            replica.c.holder.not_in((holder or "", *dead)),
            or_(living, taken_for_dead) if or_lost else seen,
            true() if least_revision is None else counted(replica.c) >= least_revision,
        )
        .group_by(replica.c.digest)
    )
    return list(connection.execute(query))
