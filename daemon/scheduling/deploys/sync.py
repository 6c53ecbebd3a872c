"""The sync: the definitions of one application, written into the database (rule 17).

Schedules that are gone are retired, not deleted, and other applications are not touched. One that was renamed has its
row still (`daemon.scheduling.renames`). If the timing of a schedule changes, or a retired schedule is defined again,
planning counts from now (rule 13). Which definitions are written is decided in `daemon.scheduling.deploys.rollout`.

What was due until now by a timing that changes, or of a schedule that is retired, is planned by the old definition
first. Mostly that is nothing; after a night without replicas it can be much, and a sync locks all schedules of its
application. So it is planned by `plan_outgoing` before, in transactions of bounded size, and the sync plans only what
has become due since. What was due by a definition that cannot be read any more has no run; the report names it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from ...definitions.application import Application
from ...definitions.definition import Mark
from ...definitions.schedule import Schedule, UnreadableDefinition, is_timed_alike, read_schedule, write_schedule
from ...store import statements
from ...store.tables import called, former_names
from ...text import MASK, counted, number, when
from ..plan import Pause, PlanState, changed_state, first_state, lease_name
from ..plan_due import plan_due
from ..renames import Located, located
from ..telling import Told, tell

_MOMENT = timedelta(seconds=5)
"""What has been due for less is no backlog."""
_PATIENCE = 10.0
"""Seconds that a sync may take, however few its schedules are."""
_PER_SECOND = 200
"""Schedules that a sync compares and writes in a second on a slow machine, planning included."""
_IN_WORDS = {"apart": "not renamed: both names have history"}
MOST_NAMED = 10
"""How many schedules of a kind a report names."""
TIMING = "timing"
"""When it is due, in words: stands for the settings that say so."""
_TIMED_BY = {"cron", "every", "at", "on_request", "trigger"}
"""What `TIMING` stands for."""
Diff = Mapping[str, tuple[Any, Any]]
"""By setting, what it was before and what it is after; ``job NAME, SETTING`` for those of a job, and ``param NAME``."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The names of the schedules, by what the sync did to them."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    revived: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    """Each with the name that it had: ``nightly (was night)``."""
    unchanged: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """What was due by their stored definition has no run, because it cannot be read any more."""
    apart: tuple[str, ...] = ()
    """They take over nothing of the name that they had, ``nightly (was night)``, because there is history under both."""
    diffs: Mapping[str, Diff] = field(default_factory=dict, compare=False)
    """What was set before and is set now, of each that changed."""
    losses: tuple[str, ...] = field(default=(), compare=False)
    """A sentence for each that is retired with something at stake, or looks as if it was renamed."""

    @property
    def changes(self) -> Iterator[tuple[str, str]]:
        """Yield (what was done, the name of the schedule)."""
        for kind in fields(self):
            if kind.compare:
                yield from ((kind.name, name) for name in getattr(self, kind.name))

    def __str__(self) -> str:
        """Return the report as text: ``schedules: 2 added (a, b), 1 unchanged``; of many only the count."""
        parts = []
        for kind in dict.fromkeys([kind for kind, _ in self.changes]):
            names = getattr(self, kind)
            shown = "" if kind == "unchanged" or len(names) > MOST_NAMED else f" ({', '.join(names)})"
            parts.append(f"{len(names):,} {_IN_WORDS.get(kind, kind)}{shown}")
        return "schedules: " + (", ".join(parts) or "none")


@dataclass(slots=True)
class _Draft:
    """What is to be written; each schedule has the name of its row."""

    application: Application
    located: Located
    added: list[Schedule] = field(default_factory=list)
    changed: list[tuple[Schedule, Row[Any]]] = field(default_factory=list)
    revived: list[tuple[Schedule, Row[Any]]] = field(default_factory=list)
    retired: list[Row[Any]] = field(default_factory=list)
    unchanged: list[Schedule] = field(default_factory=list)
    unnamed: list[Schedule] = field(default_factory=list)
    """Unchanged, but without the digest of what execution reads: an older version stored it."""
    renamed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By the names of their rows, what they are called, and what they were called, the latest first."""

    @property
    def names(self) -> Mapping[str, str]:
        """What those are called that have another name than their row, by its name."""
        return {key: name for name, key in self.located.keys.items()}

    def report(self, unreadable: tuple[str, ...] = (), losses: tuple[str, ...] = ()) -> SyncReport:
        names = self.names

        def named(schedules: Iterable[Schedule]) -> tuple[str, ...]:
            return tuple(names.get(one.name, one.name) for one in schedules)

        return SyncReport(
            added=named(self.added),
            changed=named(schedule for schedule, _ in self.changed),
            retired=tuple(called(row) for row in self.retired),
            revived=named(schedule for schedule, _ in self.revived),
            renamed=tuple(f"{name} (was {before})" for name, before, *_ in self.renamed.values()),
            unchanged=named(one for one in self.unchanged if one.name not in self.renamed),
            unreadable=unreadable,
            diffs={names.get(one.name, one.name): diff(one, row) for one, row in self.changed},
            apart=tuple(f"{name} (was {before})" for name, before in self.located.apart),
            losses=losses,
        )


def sync(
    connection: Connection,
    application: Application,
    *,
    dry_run: bool = False,
    retire: bool = True,
    retired_by: str | None = None,
) -> SyncReport:
    """Write the definitions into the database, unless ``dry_run``; return the changes. Without
    ``retire``, schedules that are not among them stay as they are; others are recorded as ``retired_by``
    a generation, or whoever ended the application.
    """
    if dry_run:
        draft = _draft(connection, application, lock=False, retire=retire)
        return draft.report(losses=_losses(connection, draft))
    now = statements.schedule.take_turn(connection, application.name)
    draft = _draft(connection, application, lock=True, retire=retire)
    outgoing, unreadable = _due_outgoing(draft, now)
    while outgoing:
        more = plan_due(connection, application.name, outgoing).more
        draft = _draft(connection, application, lock=True, retire=retire)
        outgoing = _due_outgoing(draft, now)[0] if more else {}
    lost = _losses(connection, draft)
    _write(connection, draft, now)
    if gone := [row.name for row in draft.retired]:
        statements.schedule.retire(connection, application.name, gone, now, retired_by)
        if application.schedules:  # otherwise a person has retired all, and no replica is there to tell it
            tell(connection, application.name, [Told("schedule.retired", name) for name in gone])
    return draft.report(unreadable, lost)


def patience(application: Application) -> float:
    """Return for how many seconds to wait for a transaction that may sync all schedules of an application."""
    return _PATIENCE + len(application.schedules) / _PER_SECOND


def plan_outgoing(connection: Connection, application: Application) -> bool:
    """Plan what is due by the definitions that `sync` will replace; call it until it returns False.

    Each call plans as much as one of `plan_due`. It leaves to `sync` what has been due for a moment
    only: of many short intervals, some are always due.
    """
    now = statements.schedule.database_time(connection)
    outgoing, _ = _due_outgoing(_draft(connection, application, lock=False), now - _MOMENT)
    return bool(outgoing) and plan_due(connection, application.name, outgoing).more


def _draft(connection: Connection, application: Application, *, lock: bool, retire: bool = True) -> _Draft:
    """Compare the definitions with what is stored; without ``retire``, none of it is retired."""
    stored = statements.schedule.of_application(connection, application.name, lock=lock)
    where = located(connection, application, stored)
    draft = _Draft(application.keyed(where.keys), where)
    digests, run_digests = draft.application.digests, draft.application.run_digests
    rows = {row.name: row for row in stored if row.name not in where.emptied}
    for schedule, own in zip(draft.application.schedules, application.schedules, strict=True):
        row = rows.pop(schedule.name, None)
        if row is not None and called(row) != own.name:
            former = (name for name in former_names(row) if name not in {called(row), own.name})
            draft.renamed[row.name] = (own.name, called(row), *former)
        if row is None:
            draft.added.append(schedule)
        elif row.retired_at is not None:
            draft.revived.append((schedule, row))
        elif row.digest != digests[schedule.name]:
            draft.changed.append((schedule, row))
        else:
            draft.unchanged.append(schedule)
            if row.run_digest != run_digests[schedule.name]:
                draft.unnamed.append(schedule)
    if retire:
        draft.retired.extend(row for row in rows.values() if row.retired_at is None)
    return draft


def _due_outgoing(draft: _Draft, now: datetime) -> tuple[dict[str, Schedule], tuple[str, ...]]:
    """Return the definitions that give way and by which something is due, and the names of those that can't be read."""
    readable: dict[str, Schedule] = {}
    unreadable: list[str] = []
    retimed = (row for schedule, row in draft.changed if not is_timed_alike(row.definition, schedule))
    for row in (*retimed, *draft.retired):
        if row.next_due is None or row.next_due > now:
            continue
        try:
            readable[row.name] = read_schedule(row.definition)
        except UnreadableDefinition:
            unreadable.append(row.name)
    return readable, tuple(unreadable)


def _write(connection: Connection, draft: _Draft, now: datetime) -> None:
    """Write what is new, kind by kind: of each, one statement has all the rows."""
    application = draft.application
    names = draft.names

    def definition(schedule: Schedule) -> dict[str, Any]:
        return {
            "name": schedule.name,
            "definition": write_schedule(schedule),
            "digest": application.digests[schedule.name],
            "run_digest": application.run_digests[schedule.name],
            "trigger": str(schedule.trigger),
            "enabled": schedule.enabled,
            "changed_at": now,
            "synced_at": now,
        }

    added = [
        definition(schedule)
        | _plan_columns(schedule, first_state(schedule, now))
        | {"application": application.name, "created_at": now, "called": names.get(schedule.name)}
        for schedule in draft.added
    ]
    changed, retimed = [], []
    for schedule, row in draft.changed:
        if not is_timed_alike(row.definition, schedule):
            retimed.append(definition(schedule) | _changed_columns(schedule, row, now))
        else:
            changed.append(definition(schedule))
    revived = [
        definition(schedule) | {"retired_at": None, "retired_by": None} | _changed_columns(schedule, row, now)
        for schedule, row in draft.revived
    ]
    unnamed = [{"name": one.name, "run_digest": application.run_digests[one.name]} for one in draft.unnamed]
    statements.renames.remove(connection, application.name, draft.located.emptied)
    statements.schedule.add(connection, added)
    for rows in (changed, retimed, revived, unnamed):
        statements.schedule.change(connection, application.name, rows)
    renamed = [
        {"key": key, "called": name, "former": json.dumps(former), "at": now}
        for key, (name, *former) in draft.renamed.items()
    ]
    statements.renames.rename(connection, application.name, renamed)
    written = [*draft.added, *(schedule for schedule, _ in (*draft.changed, *draft.revived))]
    leases = [lease_name(application.name, schedule) for schedule in written]
    slots = [name for schedule in written if schedule.lock for name in schedule.lock.leases]
    statements.schedule.prepare_leases(connection, [*(name.base for name in leases if not name.per_run), *slots])


def _plan_columns(schedule: Schedule, state: PlanState) -> dict[str, Any]:
    return {
        "planned_until": state.planned_until,
        "anchor": state.anchor,
        "next_due": next(schedule.instants(state.planned_until, state.anchor), None),
        "stretch_reason": None,
        "stretch_count": None,
        "stretch_from": None,
    }


def _changed_columns(schedule: Schedule, row: Row[Any], now: datetime) -> dict[str, Any]:
    """Return the columns of a schedule that counts from now on; a pause stays, unless it has ended by itself."""
    state = changed_state(PlanState(planned_until=row.planned_until, anchor=row.anchor), now)
    is_over = row.paused_at is not None and Pause(row.paused_at, row.paused_until).is_over(state.planned_until)
    pause = {column: None if is_over else getattr(row, column) for column in statements.schedule.PAUSE}
    return _plan_columns(schedule, state) | pause


MOST_SAID = 20


def _losses(connection: Connection, draft: _Draft) -> tuple[str, ...]:
    """Return a sentence for each that is retired with something at stake, and for each new one that looks like it."""
    if not draft.retired:
        return ()
    names, keys = draft.names, [row.name for row in draft.retired]
    added = {names.get(one.name, one.name): one for one in draft.added}
    unfinished = statements.renames.unfinished(connection, draft.application.name, keys)
    found = [sentence for row in draft.retired for sentence in _of_one(row, unfinished.get(row.name, {}), added)]
    if len(found) > MOST_SAID:
        found[MOST_SAID:] = [f"and {number(len(found) - MOST_SAID)} more such schedules"]
    return tuple(found)


def _of_one(row: Row[Any], unfinished: Mapping[str, int], added: Mapping[str, Schedule]) -> Iterator[str]:
    waiting, running = unfinished.get("pending", 0), unfinished.get("running", 0)
    at_stake = [
        f"{counted(waiting, 'run')} that {'waits' if waiting == 1 else 'wait'} (cancelled when no replica with its definition is left)"
        if waiting
        else "",
        f"{counted(running, 'run')} running (these finish)" if running else "",
        f"a pause ({row.paused_by}, {when(row.paused_at)})" if row.paused_at is not None else "",
    ]
    if said := [part for part in at_stake if part]:
        *first, last = said
        things = f"{', '.join(first)} and {last}" if first else last
        yield f'"{called(row)}" is no longer defined; it has {things}'
    for name, schedule in added.items():
        if schedule.keyed(row.name).run_digest() == row.run_digest:
            yield (
                f'"{name}" looks like "{called(row)}" renamed, but is a new schedule: it starts without history, '
                f'pause and idempotency keys, and can run at the same time; add was = "{called(row)}" to take '
                f"them over"
            )


# The difference between two definitions of a schedule: what was set before, and what is set after


def diff(schedule: Schedule, row: Row[Any]) -> Diff:
    """Return in which settings a schedule differs from its row, without the values of secret params."""
    stored, defined = json.loads(row.definition), schedule.canonical()
    stored = stored if isinstance(stored, dict) else {}
    before, after = dict(_settings(stored, row.trigger)), dict(_settings(defined, str(schedule.trigger)))
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    hidden = {f"param {name}" for of in (stored, defined) for name in of.get("secrets", ())}
    before, after = ({key: MASK if key in hidden else of[key] for key in of} for of in (before, after))
    return {key: (before.get(key), after.get(key)) for key in changed}


def is_timing_only(changes: Diff) -> bool:
    """Return whether it is due at other times, and executes the same."""
    return changes.keys() <= {TIMING, *Schedule.settings(Mark.TIMING)}


def _settings(stored: Mapping[str, Any], timing: str) -> Iterator[tuple[str, Any]]:
    yield TIMING, timing
    for name, value in stored.items():
        if name == "jobs":
            for job in value:
                yield from ((f"job {job.get('name')}, {key}", each) for key, each in job.items() if key != "name")
        elif name == "params":
            yield from ((f"param {param}", each) for param, each in value.items())
        elif name not in _TIMED_BY | {"name", "catch_up"}:
            yield name, value
    catch_up = stored.get("catch_up")  # of one with `exclude` within another
    yield "catch_up", next(iter(catch_up.values()), None) if isinstance(catch_up, dict) else catch_up
