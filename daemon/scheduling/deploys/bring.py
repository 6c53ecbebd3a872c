"""The bringing of definitions to the database, by a replica that is ready or a command (rule 21).

Each function is a transaction, under the turn of the application; so what it decides still holds
when it writes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy import Connection

from ...definitions.application import Application
from ...states import SEEN_WITHIN
from ...store import statements
from ...store.notices import DEFINITIONS, notify
from ..generations import (
    TAKEOVER_AFTER,
    Add,
    Count,
    Generation,
    Move,
    Order,
    Others,
    PutOnTop,
    Raise,
    Rule,
    next_move,
    sync_move,
)
from ..renames import located
from .sync import SyncReport, sync


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of the definitions that were brought to the database."""

    order: Order
    others: Others
    """Who lives besides."""
    report: SyncReport | None
    """What they changed there; None: nothing was written."""
    rules: bool
    """Whether they are those in the database now."""


def look(connection: Connection, application: Application, holder: str | None) -> tuple[Order, Others]:
    """Return the generations, and who lives besides ``holder``."""
    name = application.name
    rows = statements.generation.latest(connection, name, application.digest, application.revision)
    order = Order([Generation(row.number, row.digest, row.ruled_at is None, row.rules, row.revision) for row in rows])
    living = statements.generation.others(connection, name, holder, SEEN_WITHIN)
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
    other replica lives. Raises `RevisionTaken`.
    """
    if take_over:
        return take_on_top(connection, application, by=by)
    digest, revision = application.digest, application.revision

    def at_start(order: Order, others: Others) -> Move | None:
        order.refuse_taken(application.name, digest, revision)
        return next_move(
            order, digest, others, Count(), starting=True, takeover_after=takeover_after, revision=revision
        )

    return _with_report(connection, application, carry_out(connection, application, by, holder, at_start))


def stage(connection: Connection, application: Application, *, by: str) -> Brought:
    """Bring definitions without a replica: beside living replicas of others they only get their place,
    and rule from the first of their own replicas on. Raises `RevisionTaken`.
    """
    digest, revision = application.digest, application.revision

    def decide(order: Order, others: Others) -> Move | None:
        order.refuse_taken(application.name, digest, revision)
        return sync_move(order, digest, others, revision=revision)

    return _with_report(connection, application, carry_out(connection, application, by, None, decide))


def take_on_top(connection: Connection, application: Application, *, by: str) -> Brought:
    """Make these definitions the newest, and let them rule."""
    statements.schedule.take_turn(connection, application.name)
    digest, revision = application.digest, application.revision
    order, _ = look(connection, application, None)
    counts_as = order.revision_on_top(digest, revision)
    if order.is_on_top(digest, revision):
        _set_revision(connection, application, order.latest(digest), counts_as)
    else:
        _add(connection, application, by, counts_as)
    order, _ = look(connection, application, None)
    own = order.latest(digest)
    if own is not None and own is order.ruler and order.is_newest(own):
        report = sync(connection, application, retire=True)  # what they changed as they came stays recorded
        notify(connection, application.name, DEFINITIONS)
    else:
        report = _write(connection, application, own, in_lieu=False)
    return Brought(*look(connection, application, None), report, rules=True)


def carry_out(
    connection: Connection,
    application: Application,
    by: str,
    holder: str | None,
    decide: Callable[[Order, Others], Move | None],
) -> Brought:
    """Move until there is nothing to do; what is decided is decided under the application's turn."""
    statements.schedule.take_turn(connection, application.name)
    report = None
    while True:
        order, others = look(connection, application, holder)
        own = order.latest(application.digest)
        match decide(order, others):
            case None:
                return Brought(order, others, report, rules=own is not None and own.rules)
            case Add():
                _add(connection, application, by, application.revision)
            case Raise():
                _set_revision(connection, application, own, application.revision)
            case Rule(in_lieu=in_lieu):
                report = _write(connection, application, own, in_lieu=in_lieu)
            case PutOnTop():
                report = take_on_top(connection, application, by=by).report
            case never:
                assert_never(never)


def _add(connection: Connection, application: Application, by: str, revision: int | None) -> None:
    values = {
        "digest": application.digest,
        "revision": revision,
        "brought_by": by,
        "run_digests": _fingerprints(connection, application),
    }
    statements.generation.add(connection, application.name, values)
    notify(connection, application.name, DEFINITIONS)


def _fingerprints(connection: Connection, application: Application) -> str:
    return json.dumps(application.fingerprints(located(connection, application).keys))


def _with_report(connection: Connection, application: Application, brought: Brought) -> Brought:
    """Write definitions that ruled before once more: what differs from host to host may have changed."""
    if brought.report is not None or not brought.rules:
        return brought
    ruler = brought.order.ruler
    retire = ruler is not None and brought.order.is_newest(ruler)
    notify(connection, application.name, DEFINITIONS)
    report = sync(connection, application, retire=retire)
    if report.renamed and ruler is not None:
        statements.generation.set_run_digests(
            connection, application.name, ruler.number, _fingerprints(connection, application)
        )
    return replace(brought, report=report)


def _set_revision(
    connection: Connection, application: Application, own: Generation | None, revision: int | None
) -> None:
    assert own is not None  # noqa: S101 - it is added first
    if own.revision != revision:
        statements.generation.set_revision(connection, application.name, own.number, revision)
        notify(connection, application.name, DEFINITIONS)


def _write(connection: Connection, application: Application, own: Generation | None, *, in_lieu: bool) -> SyncReport:
    assert own is not None  # noqa: S101 - it is added first
    report = sync(connection, application, retire=not in_lieu)
    if report.renamed:
        fingerprints = _fingerprints(connection, application)
        statements.generation.set_run_digests(connection, application.name, own.number, fingerprints)
    statements.generation.let_rule(connection, application.name, own.number, in_lieu=in_lieu, changes=str(report))
    notify(connection, application.name, DEFINITIONS)
    return report
