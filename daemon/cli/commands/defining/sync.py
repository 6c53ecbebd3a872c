"""`leased sync`: the write of definitions to the database, or a list of what it would change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, assert_never

import typer
from sqlalchemy import Connection

from ....errors import RetiresAll
from ....operations.foresee import Foreseen, foresee
from ....operations.generations import processes, who_runs
from ....scheduling.deploys.bring import stage, take_on_top
from ....scheduling.deploys.sync import SyncReport, patience
from ....scheduling.deploys.sync import sync as write_definitions
from ....scheduling.generations.standing import State
from ....service.settings import read_settings
from ....store import migrations
from ....store.views.generations import RunBy
from ....text import counted
from ...ask import ask_url
from ...bring import plan_all_outgoing
from ...failures import Misused, report
from ...load_file import load_file
from ...options import By, Database, File, Json, Revision, author
from ...screen import Sheet, say, screen, write_json
from .check import APART


@dataclass(frozen=True, slots=True)
class ThisGeneration:
    """The generation that the definitions are, or would be."""

    number: int
    is_new: bool
    state: State


@dataclass(frozen=True, slots=True)
class OtherGeneration:
    """A generation that living replicas run."""

    number: int
    digest: str
    revision: int | None
    state: State
    replicas: Sequence[RunBy]


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """A schedule, and what the sync does to it."""

    schedule: str
    change: str


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """The answer of `leased sync --json`."""

    application: str
    dry_run: bool
    staged: bool
    generation: ThisGeneration
    others: list[OtherGeneration]
    items: list[ScheduleChange]
    losses: Sequence[str]
    """What stays behind with schedules that are not defined any more, and what looks like a rename."""


MOST_LINES = 100
"""How many changes are listed without --json."""


@dataclass(frozen=True, slots=True)
class _Synced:
    """What the definitions changed or would change, and how they stand or would stand."""

    report: SyncReport
    foreseen: Foreseen
    written: bool
    """They are those in the database now."""
    warning: str | None = None
    """What people should know of what they retired."""


def sync(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Make them active, even if replicas with other definitions are running.")
    ] = False,
    revision: Revision = None,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="Reason for --take-over; it is recorded.")] = None,
    by: By = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write the definitions in FILE to the database; leave other applications alone.

    If replicas with other definitions are running, the new ones are only staged: they become active
    when a replica with them is ready, or with --take-over.
    """
    if why is not None and not take_over:
        raise Misused("--why needs --take-over; add that, or leave out --why")
    who = author(by, why)
    flags = {"database_url": database, "revision": revision}
    application = load_file(file, flags)
    settings = read_settings(flags, application.settings, source=file)
    application = application.revised(settings.revision)
    if not dry_run:
        migrations.prepare(settings.database)
        plan_all_outgoing(application, settings.database)

    def transaction(connection: Connection) -> _Synced:
        """Bring the definitions, and return what that came to; with ``dry_run``, what it would come to."""
        after = settings.takeover_after
        foreseen = foresee(connection, application, by="sync", take_over=take_over, takeover_after=after)
        retire = foreseen.forecast.state != "in lieu"
        would = write_definitions(connection, application, dry_run=True, retire=retire)
        if not dry_run:
            take = partial(take_on_top, why=why) if take_over else stage
            brought = take(connection, application, by=who)
            if brought.report is not None:
                return _Synced(brought.report, foreseen, written=True, warning=brought.warning)
        return _Synced(would, foreseen, written=False)

    found = ask_url(settings.database, transaction, write=not dry_run, patience=patience(application))
    if as_json:
        write_json("sync", _answer(application.name, found, dry_run=dry_run))
    else:
        _show(application.name, found, dry_run=dry_run)
    if found.warning is not None:
        report(found.warning, "definition", as_json=as_json, what="warning")
    if found.foreseen.refusal is not None:
        raise RetiresAll(found.foreseen.refusal)


def _show(application: str, found: _Synced, *, dry_run: bool) -> None:
    console, changes, generation = screen(), list(found.report.changes), found.foreseen.forecast
    style, stands, more = _stands(generation.state) if found.foreseen.refusal is None else ("red", "refused", "")
    ok = "OK: " if style == "green" else ""
    verdict = f"{ok}{application}, generation {generation.number} {'would be' if dry_run else 'is'} {stands}"
    say(console, verdict, f"bold {style}", hang=2)
    notes = [more, found.foreseen.forecast.missing]
    if others := found.foreseen.others:
        notes.append(f"{who_runs(others)}: {processes(others)}")
    if left := len(found.report.unchanged):
        notes.append(f"unchanged: {counted(left, 'schedule')}")
    for sentence in filter(None, notes):
        say(console, sentence, lead="  ")
    warnings = [_NO_CHANGES[change](name) for change, name in changes if change in _NO_CHANGES]
    for warning in (*warnings, *found.report.losses):
        say(console, warning, "yellow", lead="  ")
    listed = Sheet("change" if found.written else "would be", "schedule")
    changed = [change for change in changes if change[0] not in {"unchanged", *_NO_CHANGES}]
    for change in changed[:MOST_LINES]:
        listed.add(*change)
    if changed:
        console.print()
        console.print(listed)
    if (left := len(changed) - MOST_LINES) > 0:
        say(console, f"and {counted(left, 'more change')}; --json has them all")


def _answer(application: str, found: _Synced, *, dry_run: bool) -> SyncAnswer:
    generation, others = found.foreseen.forecast, found.foreseen.others
    return SyncAnswer(
        application,
        dry_run,
        staged=generation.state == "staged",
        generation=ThisGeneration(generation.number, generation.is_new, generation.state),
        others=[OtherGeneration(one.number, one.digest, one.revision, one.state, one.replicas) for one in others],
        items=[ScheduleChange(name, change) for change, name in found.report.changes],
        losses=found.report.losses,
    )


def _stands(state: State) -> tuple[str, str, str]:
    """Return the colour of a state of definitions, and the state in words: for the verdict, and what follows from it."""
    match state:
        case "current":
            return "green", "active", ""
        case "in lieu":
            return "green", "active as a fallback for a newer one", "nothing is retired"
        case "staged":
            ready = "it becomes active as soon as one of its own replicas is ready, or at once with --take-over"
            return "yellow", "staged", f"replicas with other definitions are running: {ready}"
        case "next":
            ready = "it becomes active once one of its replicas has been ready long enough, or at once with --take-over"
            return "yellow", "on standby", ready
        case "superseded":
            return "yellow", "superseded by a newer one", "--take-over makes it active anyway"
        case "unknown":
            return "yellow", "not known yet", ""
        case _:
            assert_never(state)


_NO_CHANGES: Mapping[str, Callable[[str], str]] = {
    "unreadable": "{}: scheduled times have no run because its stored definition cannot be read".format,
    "apart": (f"{{}}: {APART}").format,
}
"""What is said of a schedule by what became of it, where that is no change."""
