"""The bringing of definitions to the database, by a replica that is ready or a command (rule 21).

Each function is a transaction, under the turn of the application; so what it decides still holds when it writes.
"""

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, assert_never

from sqlalchemy import Connection, Row

from ...definitions.application import Application
from ...errors import RetiresAll, WouldSupersede
from ...states import SEEN_WITHIN
from ...store import statements
from ...store.notices import DEFINITIONS, notify
from ...store.tables import called, former_names
from ...text import listed
from ..generations.order import TAKEOVER_AFTER, Count, Generation, Move, Order, Others, next_move, rank_of, sync_move
from ..generations.standing import on_hosts, superseded, who_runs
from ..renames import located
from .sync import SyncReport, sync

_FEW = 5
"""How many schedules of a kind the refusal names."""


@dataclass(frozen=True, slots=True)
class Superseding:
    """Who runs the definitions that others would supersede, and what becomes of these."""

    application: Application
    others: str
    """Who runs what: ``2 replicas on web1, web2 run generation 1``."""
    report: SyncReport

    def refusal(self) -> str:
        """Return why this is refused at a terminal, and what to do instead."""
        kinds = ("retired", "changed", "added", "revived", "renamed")
        changes = "; ".join(f"{kind}: {listed(names, _FEW)}" for kind in kinds if (names := getattr(self.report, kind)))
        said = (
            f'{self.others} of "{self.application.name}". These definitions would supersede theirs'
            f"{f' ({changes})' if changes else ''}. At a terminal, that needs --take-over (in Python, take_over=True); "
            "nothing was changed. To try a file out, use another database (--database)."
        )
        if self.application.revision is not None:
            return said
        return f"{said} If your releases have a revision (LEASED_REVISION), a file without one supersedes nothing."


def superseding(
    connection: Connection, application: Application, order: Order, others: Others, dead: Collection[str] = ()
) -> Superseding | None:
    """Return what ``application``, recorded in ``order``, would supersede, or None if living replicas run no other
    definitions. ``dead`` are holders whose death is proven.
    """
    generations = superseded(order, application.digest, others)
    if not generations:
        return None
    rows = statements.generation.living_others(connection, application.name, application.digest, SEEN_WITHIN, dead)
    said = who_runs(
        (one.number, one.revision, [row.host for row in rows if row.digest == one.digest]) for one in generations
    )
    return Superseding(application, said, sync(connection, application, dry_run=True))


def refusal(connection: Connection, application: Application, order: Order, others: Others) -> str | None:
    """Return why definitions that have never ruled are refused: they would retire every schedule that living
    replicas run. None if they are not, or are not the newest.

    A higher revision than theirs says that it is meant; so does a take-over, which does not ask here.
    """
    own, living = order.latest(application.digest), others.living - {application.digest}
    if own is None or not own.is_staged or not order.is_newest(own):
        return None
    ranks = [rank_of(one.counted) for digest in living if (one := order.latest(digest)) is not None]
    highest = max(ranks, default=rank_of(None))
    if rank_of(application.revision) > highest:
        return None
    rows = statements.schedule.of_application(connection, application.name, lock=False)
    lost = _run_by(connection, application.name, living, (row for row in rows if row.retired_at is None))
    if not lost or not lost <= set(sync(connection, application, dry_run=True).retired):
        return None
    running = statements.generation.living_others(connection, application.name, application.digest, SEEN_WITHIN)
    replicas, names = on_hosts([row.host for row in running]), sorted(lost)
    return (
        f'these definitions of "{application.name}" would retire all that {replicas} '
        f"{'runs' if len(running) == 1 else 'run'}: {listed(names, _FEW)}. If they are another application, give it another "
        f'name. If schedules have other names now, say so (was = "{names[0]}"). If all is replaced on purpose, give a '
        f"higher revision (--revision {max(highest + 1, 1)}), or run `leased sync FILE --take-over` once; never put "
        "--take-over into a unit or manifest: each restart would take over again"
    )


def _run_by(connection: Connection, application: str, digests: Collection[str], rows: Iterable[Row[Any]]) -> set[str]:
    """Return what those schedules are called that definitions with these digests have, under whatever name."""
    known = statements.generation.schedules_of(connection, application, digests)
    return {called(row) for row in rows if not known.isdisjoint((called(row), *former_names(row)))}


_MOST_DIFFS = 1_000
"""Of so many schedules that a generation changed, it is recorded what was before."""


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
    warning: str | None = None
    """What people should know of what they retired."""


def look(
    connection: Connection, application: Application, holder: str | None, dead: Collection[str] = ()
) -> tuple[Order, Others]:
    """Return the generations, and who lives besides ``holder`` and those that are ``dead``, recorded or not."""
    name = application.name
    rows = statements.generation.latest(connection, name, application.digest, application.revision)
    order = Order(
        [
            Generation(row.number, row.digest, row.ruled_at is None, row.rules, row.revision, row.discounted_at is None)
            for row in rows
        ]
    )
    living = statements.generation.others(connection, name, holder, SEEN_WITHIN, dead=dead)
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
    guarded: bool = False,
    takeover_after: float = TAKEOVER_AFTER,
) -> Brought:
    """Bring the definitions of a replica that is ready: they rule at once if they are new, or if no
    other replica lives. Raises `RevisionTaken` and `RetiresAll`, and if ``guarded``, `WouldSupersede`.
    """
    if take_over:
        return take_on_top(connection, application, by=by)
    digest, revision = application.digest, application.revision

    def at_start(order: Order, others: Others) -> Move | None:
        if guarded and (found := superseding(connection, application, order, others)) is not None:
            raise WouldSupersede(found.refusal())
        return next_move(
            order, digest, others, Count(), starting=True, takeover_after=takeover_after, revision=revision
        )

    return carry_out(connection, application, by, holder, at_start, first=True)


def stage(connection: Connection, application: Application, *, by: str) -> Brought:
    """Bring definitions without a replica: beside living replicas of others they only get their place,
    and rule from the first of their own replicas on. Raises `RevisionTaken`, and `RetiresAll` for what
    their first replica could not do either.
    """

    def decide(order: Order, others: Others) -> Move | None:
        return sync_move(order, application.digest, others, revision=application.revision)

    return carry_out(connection, application, by, None, decide, first=True)


def take_on_top(connection: Connection, application: Application, *, by: str, why: str | None = None) -> Brought:
    """Make these definitions the newest, under their own revision; an act of ``by``. Raises `RevisionTaken`."""
    statements.schedule.take_turn(connection, application.name)
    order, others = look(connection, application, None)
    order.refuse_taken(application.name, application.digest, application.revision)
    outranked = order.outranked(application.revision, others.living)
    statements.generation.discount(connection, application.name, [one.number for one in outranked])
    ruled_before = order.ruler
    written = _put_on_top(connection, application, by=by, stood_in=bool(outranked))
    order, others = look(connection, application, None)
    ruler = order.ruler
    if ruler is not None and (outranked or ruled_before is None or ruled_before.number != ruler.number):
        revisions = listed(sorted({str(one.revision) for one in outranked}))
        told = [f"generation {ruler.number} is active", f"no longer counts: revision {revisions}" if outranked else ""]
        effect = "; ".join(filter(None, (*told, written.retired)))
        statements.acts.record(connection, "take-over", by=by, application=application.name, why=why, effect=effect)
    return Brought(order, others, written.report, rules=True, warning=written.warning)


def _put_on_top(connection: Connection, application: Application, *, by: str, stood_in: bool = False) -> "_Written":
    """Make these definitions the newest, and let them rule. If they rule, they may have ``stood_in`` until now."""
    digest, revision = application.digest, application.revision
    order, _ = look(connection, application, None)
    counts_as = order.revision_on_top(digest, revision)
    if order.is_on_top(digest, revision):
        _set_revision(connection, application, order.latest(digest), counts_as)
    else:
        _add(connection, application, by, counts_as)
    order, others = look(connection, application, None)
    own = order.latest(digest)
    if own is not None and own is order.ruler and order.is_newest(own) and not stood_in:
        # What they changed as they came stays recorded.
        return _Written(_synced(connection, application, own))
    return _write(connection, application, order, others, in_lieu=False)


def carry_out(
    connection: Connection,
    application: Application,
    by: str,
    holder: str | None,
    decide: Callable[[Order, Others], Move | None],
    *,
    first: bool = False,
) -> Brought:
    """Move until there is nothing to do; what is decided is decided under the application's turn.

    Definitions that are brought for the ``first`` time, as far as is known, may be refused. Those that ruled before are
    then written once more: what differs from host to host may have changed.
    """
    statements.schedule.take_turn(connection, application.name)
    written = _Written()
    while True:
        order, others = look(connection, application, holder)
        if first:
            if (why := refusal(connection, application, order, others)) is not None:
                raise RetiresAll(why)
            order.refuse_taken(application.name, application.digest, application.revision)
        own, ruler = order.latest(application.digest), order.ruler
        match decide(order, others):
            case None:
                if written.retired is not None:
                    statements.acts.record(
                        connection, "deploy", by=by, application=application.name, effect=written.retired
                    )
                rules, report = own is not None and own.rules, written.report
                if first and report is None and rules and ruler is not None:
                    report = _synced(connection, application, ruler, retire=order.is_newest(ruler))
                return Brought(order, others, report, rules, written.warning)
            case "add":
                _add(connection, application, by, application.revision)
            case "raise":
                _set_revision(connection, application, own, application.revision)
            case "rule" | "stand in" as move:
                written = _write(connection, application, order, others, in_lieu=move == "stand in")
            case "put on top":
                written = _put_on_top(connection, application, by=by)
            case never:
                assert_never(never)


def _add(connection: Connection, application: Application, by: str, revision: int | None) -> None:
    run_digests = json.dumps(application.fingerprints(located(connection, application).keys))
    values = {"digest": application.digest, "revision": revision, "brought_by": by, "run_digests": run_digests}
    statements.generation.add(connection, application.name, values)
    notify(connection, application.name, DEFINITIONS)


def _synced(connection: Connection, application: Application, own: Generation, *, retire: bool = True) -> SyncReport:
    """Write the definitions, which are those of a generation, into the database."""
    report = sync(connection, application, retire=retire, retired_by=statements.generation.named(own.number))
    if report.renamed:
        fingerprints = json.dumps(application.fingerprints(located(connection, application).keys))
        statements.generation.change(connection, application.name, own.number, run_digests=fingerprints)
    notify(connection, application.name, DEFINITIONS)
    return report


def _set_revision(
    connection: Connection, application: Application, own: Generation | None, revision: int | None
) -> None:
    assert own is not None  # noqa: S101 - it is added first
    if own.revision != revision:
        statements.generation.change(connection, application.name, own.number, revision=revision)
        notify(connection, application.name, DEFINITIONS)


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of definitions that were written into the database."""

    report: SyncReport | None = None
    retired: str | None = None
    """What they retired, as text."""
    warning: str | None = None


def _write(
    connection: Connection, application: Application, order: Order, others: Others, *, in_lieu: bool
) -> _Written:
    own, before = order.latest(application.digest), order.ruler
    assert own is not None  # noqa: S101 - it is added first
    report = _synced(connection, application, own, retire=not in_lieu)
    keeps_nothing = report.retired and not (report.changed or report.unchanged or report.renamed)
    replaced = before.number if before is not None and before is not own and keeps_nothing else None
    diffs = json.dumps(dict(islice(report.diffs.items(), _MOST_DIFFS)), ensure_ascii=False) if report.diffs else None
    statements.generation.let_rule(
        connection, application.name, own.number, in_lieu=in_lieu, changes=str(report), diff=diffs, replaced=replaced
    )
    if not report.retired:
        return _Written(report)
    names = listed(report.retired)
    if replaced is not None:
        retired = f"generation {own.number} shares no schedule with generation {replaced}, and retired all of its schedules: {names}"
        remedy = f"if this is intended, acknowledge it with `leased generations {own.number} --acknowledge`"
        return _Written(report, retired, f"{retired}; {remedy}")
    retired, warning = f"generation {own.number} retired {names}", None
    if living := others.living - {application.digest}:
        rows = statements.schedule.of_application(connection, application.name, lock=False)
        run_by = _run_by(connection, application.name, living, rows).intersection(report.retired)
        if run_by:
            those = f"schedules that live replicas of other definitions run: {listed(sorted(run_by))}"
            warning = f"generation {own.number} retired {those}"
    return _Written(report, retired, warning)
