"""The bringing of definitions to the database: by a replica that is ready, or by a command (rule 21).

Each function is a transaction, under the turn of the application; so what it decides still holds
when it writes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import Connection

from ..definitions.application import Application
from ..store import statements
from .generations import TAKEOVER_AFTER, Add, Count, Generation, Move, Order, Others, PutOnTop, Rule, next_move
from .sync import SyncReport, sync

SEEN_WITHIN = 15.0
"""Seconds for which a replica counts as living after its last sign of life, of which there is one each 5 s."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of the definitions that were brought to the database."""

    order: Order
    report: SyncReport | None
    """What they changed there; None: nothing was written."""
    rules: bool
    """Whether they are those in the database now."""


def look(connection: Connection, application: str, digest: str, holder: str | None) -> tuple[Order, Others]:
    """Return the generations, and who lives besides ``holder``."""
    rows = statements.generation.latest(connection, application, digest)
    order = Order([Generation(row.number, row.digest, row.ruled_at is None, row.rules) for row in rows])
    living = statements.generation.others(connection, application, holder, SEEN_WITHIN)
    return order, Others(
        living=frozenset(row.digest or "" for row in living),
        ready={row.digest or "": row.ready_for for row in living if row.ready_for is not None},
    )


def bring(
    connection: Connection,
    application: Application,
    *,
    by: str,
    holder: str,
    take_over: bool = False,
    takeover_after: float = TAKEOVER_AFTER,
) -> Brought:
    """Bring the definitions of a replica that is ready: they rule at once if they are new, or if no
    other replica lives.
    """
    if take_over:
        return take_on_top(connection, application, by=by)
    digest = application.digest

    def at_start(order: Order, others: Others) -> Move | None:
        return next_move(order, digest, others, Count(), starting=True, takeover_after=takeover_after)

    brought = carry_out(connection, application, by, holder, at_start)
    ruler = brought.order.ruler
    if brought.report is None and ruler is not None and ruler.digest == digest:
        return _again(connection, application, brought.order, ruler)
    return brought


def stage(connection: Connection, application: Application, *, by: str) -> Brought:
    """Bring definitions without a replica: beside living replicas of others they only get their place,
    and rule from the first of their own replicas on.
    """
    statements.schedule.take_turn(connection, application.name)
    digest = application.digest
    order, others = look(connection, application.name, digest, None)
    own = order.latest(digest)
    if not others.living - {digest}:
        return take_on_top(connection, application, by=by)
    if own is not None and own.rules:
        return _again(connection, application, order, own)
    if own is None:
        _add(connection, application, by)
        order, _ = look(connection, application.name, digest, None)
    return Brought(order, None, rules=False)


def take_on_top(connection: Connection, application: Application, *, by: str) -> Brought:
    """Make these definitions the newest, and let them rule."""
    statements.schedule.take_turn(connection, application.name)
    digest = application.digest
    order, _ = look(connection, application.name, digest, None)
    own = order.latest(digest)
    if own is None or own != max(order.generations, key=lambda one: one.number):
        _add(connection, application, by)
        order, _ = look(connection, application.name, digest, None)
        own = order.latest(digest)
    assert own is not None  # noqa: S101 - it has just been added
    report = _write(connection, application, own, in_lieu=False)
    return Brought(look(connection, application.name, digest, None)[0], report, rules=True)


def carry_out(
    connection: Connection,
    application: Application,
    by: str,
    holder: str,
    decide: Callable[[Order, Others], Move | None],
) -> Brought:
    """Move until there is nothing to do; what is decided is decided under the application's turn."""
    statements.schedule.take_turn(connection, application.name)
    digest = application.digest
    report = None
    while True:
        order, others = look(connection, application.name, digest, holder)
        own = order.latest(digest)
        match decide(order, others):
            case None:
                return Brought(order, report, rules=own is not None and own.rules)
            case Add():
                _add(connection, application, by)
            case Rule(in_lieu=in_lieu):
                assert own is not None  # noqa: S101 - it is added first
                report = _write(connection, application, own, in_lieu=in_lieu)
            case PutOnTop():
                report = take_on_top(connection, application, by=by).report
            case never:
                assert_never(never)


def _add(connection: Connection, application: Application, by: str) -> None:
    values = {
        "digest": application.digest,
        "brought_by": by,
        "run_digests": json.dumps(list(application.run_digests.values())),
    }
    statements.generation.add(connection, application.name, values)


def _again(connection: Connection, application: Application, order: Order, ruler: Generation) -> Brought:
    """Write the definitions that rule once more: what differs from host to host may have changed."""
    return Brought(order, sync(connection, application, retire=ruler is order.newest), rules=True)


def _write(connection: Connection, application: Application, own: Generation, *, in_lieu: bool) -> SyncReport:
    report = sync(connection, application, retire=not in_lieu)
    statements.generation.let_rule(connection, application.name, own.number, in_lieu=in_lieu, changes=str(report))
    return report
