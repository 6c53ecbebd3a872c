"""The statements on what else is old: acts of people, and generations that gave way long ago."""

from sqlalchemy import Connection, delete, exists, func, select

from lease.database.dialects import later, now, seconds_between

from ...tables import act, generation, replica, run
from ..dialects import all_pending, among, running
from ..generation import read_run_digests


def delete_acts(connection: Connection, older_than: float, limit: int) -> int:
    """Delete up to ``limit`` acts, of whatever application, that are older than so many seconds; return how many."""
    horizon = select(later(now(), -older_than)).scalar_subquery()
    old = select(act.c.id).where(act.c.acted_at < horizon).order_by(act.c.acted_at).limit(limit)
    free = old.with_for_update(skip_locked=True)
    return connection.execute(delete(act).where(act.c.id.in_(free))).rowcount


def delete_generations(connection: Connection, application: str, older_than: float, but: int, limit: int) -> int:
    """Delete up to ``limit`` generations that gave way, or came, more than so many seconds ago; return how many.

    Neither the newest ``but``, nor one that rules, nor one that a replica is recorded with, nor one by
    which a run goes that is not over.
    """
    of_application = generation.c.application == application
    newest = select(generation.c.number).where(of_application).order_by(generation.c.number.desc()).limit(but)
    left_at = func.coalesce(generation.c.superseded_at, generation.c.came_at, type_=now.type)
    old = (
        select(generation.c.number, generation.c.run_digests)
        .where(
            of_application,
            ~generation.c.rules,
            seconds_between(left_at, now()) > older_than,
            generation.c.number.not_in(newest),
            ~exists().where(replica.c.digest == generation.c.digest),
        )
        .order_by(generation.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = {number: read_run_digests(stored) for number, stored in connection.execute(old)}
    used = _digests_at_work(connection, application, {digest for digests in found.values() for digest in digests})
    going = [number for number, digests in found.items() if used.isdisjoint(digests)]
    return connection.execute(delete(generation).where(of_application, generation.c.number.in_(going))).rowcount


def _digests_at_work(connection: Connection, application: str, digests: set[str]) -> set[str]:
    """Return those of the run digests by which a run goes that is not over."""
    return {
        digest
        for state in (all_pending(), running())
        for digest in connection.scalars(
            select(run.c.digest).where(run.c.application == application, state, among(run.c.digest, digests)).distinct()
        )
    }
