"""`leased sync`: the write of definitions to the database, or a list of what it would change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, assert_never

import typer
from sqlalchemy import Connection

from ....definitions.application import Application
from ....errors import RetiresAll
from ....operations.foresee import Foreseen, foresee
from ....operations.generations import processes, who_runs
from ....scheduling.deploys.bring import Brought, stage, take_on_top
from ....scheduling.deploys.sync import SyncReport, patience
from ....scheduling.deploys.sync import sync as write_definitions
from ....scheduling.generations import State
from ....service.settings import Settings, read_settings
from ....store import migrations
from ....store.views import RunBy
from ....text import number
from ...answers import write_json
from ...ask import ask_url
from ...author import By, author
from ...bring import plan_all_outgoing
from ...failures import Misused, report
from ...load_file import load_file
from ...options import Database, File, Json, Revision
from ...screen import print_sentences, say, screen
from .remarks import APART


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
    why: Annotated[
        str | None, typer.Option("--why", metavar="TEXT", help="Reason for --take-over; it is recorded.")
    ] = None,
    by: By = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write the definitions in FILE to the database; leave other applications alone.

    If replicas with other definitions are running, the new ones are only staged: they become active
    when a replica with them is ready, or with --take-over.
    """
    who = _author(by, why, take_over=take_over)
    flags = {"database_url": database, "revision": revision}
    application = load_file(file, flags)
    settings = read_settings(flags, application.settings, source=file)
    application = application.revised(settings.revision)
    if not dry_run:
        migrations.prepare(settings.database)
        plan_all_outgoing(application, settings.database)

    def transaction(connection: Connection) -> _Synced:
        if dry_run:
            return _foreseen(connection, application, settings, take_over=take_over)
        bring = partial(take_on_top, why=why) if take_over else stage
        return _synced(connection, application, settings, partial(bring, by=who), take_over=take_over)

    found = ask_url(settings.database, transaction, write=not dry_run, patience=patience(application))
    changes = list(found.report.changes)
    if as_json:
        write_json("sync", _answer(application.name, found, changes, dry_run=dry_run))
    else:
        _show(found, changes, dry_run=dry_run)
    if found.warning is not None:
        report(found.warning, "definition", as_json=as_json, what="warning")
    if found.foreseen.refusal is not None:
        raise RetiresAll(found.foreseen.refusal)


def _author(by: str | None, why: str | None, *, take_over: bool) -> str:
    if why is not None and not take_over:
        raise Misused("--why needs --take-over; add that, or leave out --why")
    return author(by, why)


def _show(found: _Synced, changes: Sequence[tuple[str, str]], *, dry_run: bool) -> None:
    console = screen()
    print_sentences(console, _sentences(found, dry_run=dry_run), style="none")
    would_be = "" if found.written else "would be "
    lines = [_line(change, name, would_be) for change, name in changes if change != "unchanged"]
    print_sentences(console, lines[:MOST_LINES], style="none")
    if len(lines) > MOST_LINES:
        say(console, f"and {number(len(lines) - MOST_LINES)} more changes; --json has them all")
    print_sentences(console, found.report.losses)
    left = len(found.report.unchanged)
    if left:
        say(console, f"unchanged: {number(left)} {'schedule' if left == 1 else 'schedules'}")


def _synced(
    connection: Connection,
    application: Application,
    settings: Settings,
    bring: Callable[[Connection, Application], Brought],
    *,
    take_over: bool,
) -> _Synced:
    found = _foreseen(connection, application, settings, take_over=take_over)
    brought = bring(connection, application)
    if brought.report is None:
        return found
    return _Synced(brought.report, found.foreseen, written=True, warning=brought.warning)


def _foreseen(connection: Connection, application: Application, settings: Settings, *, take_over: bool) -> _Synced:
    foreseen = foresee(connection, application, by="sync", take_over=take_over, takeover_after=settings.takeover_after)
    retire = foreseen.forecast.state != "in lieu"
    return _Synced(write_definitions(connection, application, dry_run=True, retire=retire), foreseen, written=False)


def _answer(application: str, found: _Synced, changes: list[tuple[str, str]], *, dry_run: bool) -> SyncAnswer:
    generation = found.foreseen.forecast
    others = [
        OtherGeneration(
            number=one.number, digest=one.digest, revision=one.revision, state=one.state, replicas=one.replicas
        )
        for one in found.foreseen.others
    ]
    return SyncAnswer(
        application=application,
        dry_run=dry_run,
        staged=generation.state == "staged",
        generation=ThisGeneration(number=generation.number, is_new=generation.is_new, state=generation.state),
        others=others,
        items=[ScheduleChange(schedule=name, change=change) for change, name in changes],
        losses=found.report.losses,
    )


def _sentences(found: _Synced, *, dry_run: bool) -> list[str]:
    """Return which generation the definitions are, or would be, how it stands, and who runs others."""
    generation, others = found.foreseen.forecast, found.foreseen.others
    named = f"generation {generation.number}"
    what = (
        f"would be {named}"
        if dry_run and generation.is_new
        else f"are {named}{'' if generation.is_new else ' already'}"
    )
    said = [f"these definitions {what}, {_stands(generation.state, ruled=found.written)}"]
    if generation.missing:
        said.append(generation.missing)
    if others:
        said.append(f"{who_runs(others)}: {processes(others)}")
    return said


def _stands(state: State, *, ruled: bool) -> str:
    """Return how definitions stand after a sync, as text."""
    match state:
        case "current":
            return "current" if ruled else "current at once"
        case "in lieu":
            return "as a fallback for a newer one; nothing is retired"
        case "staged":
            return (
                "staged because replicas with other definitions are running: active as soon as one of its own "
                "replicas is ready, or at once with --take-over"
            )
        case "next":
            return "active once one of its replicas has been ready long enough, or at once with --take-over"
        case "superseded":
            return "superseded by a newer one; --take-over makes it active anyway"
        case "unknown":
            return "not known yet"
        case _:
            assert_never(state)


def _line(change: str, name: str, would_be: str) -> str:
    if change == "unreadable":
        return f"{name}: scheduled times have no run because its stored definition cannot be read"
    if change == "apart":
        return f"{name}: {APART}"
    return f"{would_be}{change}: {name}"
