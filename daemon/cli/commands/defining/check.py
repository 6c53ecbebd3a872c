"""`leased check` and `leased preview`: definitions and expressions, with the instants they give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lease.durations import format_duration
from lease.errors import InvalidDuration, StoreUnavailable

from ....definitions.application import Application
from ....definitions.schedule import SHORTEST_INTERVAL, Preview, Schedule, preview, preview_schedule
from ....definitions.triggers.trigger import At, Cron, Every, OnRequest, Trigger
from ....definitions.triggers.wall_time import surprises
from ....definitions.values.calendars import read_exclude
from ....definitions.values.refusal import refused_at
from ....definitions.values.times import check_duration, check_timezone
from ....errors import InvalidInstant, Place, SchemaNotReady
from ....instants import parse_instant
from ....service.settings import read_settings
from ....states import ON_REQUEST
from ....text import counted, when
from ...failures import FAILED, NoDatabase
from ...load_file import load_file
from ...options import Database, File, Json, instant
from ...screen import Sheet, for_people, print_sentences, say, screen, write_json
from .remarks import APART, NOTES, Code, Occurrence, Remark, file_remarks, in_zone_text, remark_on, remarks_on, together
from .second_load import SecondLoad

_PATIENCE = 3.0
"""Seconds: definitions can be checked where the database cannot be reached, too."""


def against_database(application: Application, url: str) -> Iterator[Remark]:
    """Yield what would stay behind if these definitions were deployed, and what they take over. Yield nothing if there
    is no database, or if it has no tables of this version.
    """
    from ....scheduling.deploys.sync import sync  # noqa: PLC0415 - loads the database layer
    from ...ask import ask_url  # noqa: PLC0415 - loads it too

    try:
        report = ask_url(url, lambda connection: sync(connection, application, dry_run=True), patience=_PATIENCE)
    except (NoDatabase, SchemaNotReady):
        return
    except StoreUnavailable as error:
        yield Remark("not-checked", f"the database was not checked: {error}")
        return
    for name in report.renamed:
        yield Remark("was", f"{name}: takes over the history, pause, lock and idempotency keys")
    for name in report.apart:
        yield Remark("was-apart", f"{name}: {APART}")
    yield from (Remark("left-behind", text) for text in report.losses)


_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CheckedSchedule:
    """A schedule, when it is due next, and what may surprise in it."""

    schedule: str
    timing: str
    timezone: str
    enabled: bool
    jobs: list[str]
    next: list[Occurrence]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class CheckWarning:
    """A warning: of a schedule, or of the file as a whole."""

    code: Code
    schedule: str | None
    message: str


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """The answer of `leased check --json`."""

    application: str
    file: str
    defaults: Mapping[str, Any]
    items: list[CheckedSchedule]
    remarks: list[str]
    warnings: list[CheckWarning]
    """The remarks but for the notes, with their codes."""


@dataclass(frozen=True, slots=True)
class PreviewAnswer:
    """The answer of `leased preview --json`."""

    expression: str
    timezone: str
    after: datetime
    items: list[Occurrence]
    remarks: list[str]


def check(
    file: File,
    database: Database = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is a warning.")] = False,
    as_json: Json = False,
) -> None:
    """Validate the definitions in FILE and show the next runs of each schedule.

    If there is a database, also show what a deploy of FILE would leave behind in it.
    """
    flags = {"database_url": database}
    with SecondLoad(file) as again:
        application = load_file(file, flags)
        settings = read_settings(flags, application.settings, source=file)
        left = again.refuse_different(application)
    now = datetime.now(UTC)
    found = [(schedule, preview_schedule(schedule, now, _SHOWN)) for schedule in application.schedules]
    folder = application.source.parent
    remarks_of = {each.name: list(remarks_on(each, now, folder)) for each in application.schedules}
    of_schedules = [(name, remark) for name, some in remarks_of.items() for remark in some]
    remarks = [*file_remarks(application, left), *against_database(application, settings.database)]
    warnings = [
        CheckWarning(remark.code, name, remark.in_words)
        for name, remark in (*of_schedules, *((None, remark) for remark in remarks))
        if remark.code not in NOTES
    ]
    if as_json:
        items = [
            CheckedSchedule(
                *(of.name, str(of.trigger), of.timezone, of.enabled, [job.name for job in of.jobs]),
                next=[Occurrence.of(one) for one in coming],
                remarks=[remark.in_words for remark in remarks_of[of.name]],
            )
            for of, coming in found
        ]
        said, source = [remark.in_words for remark in remarks], str(application.source)
        write_json("check", CheckAnswer(application.name, source, application.defaults, items, said, warnings))
    else:
        _print(application, found, list(together(of_schedules, remarks)), strict=strict)
    if strict and warnings:
        raise typer.Exit(FAILED)


def preview_command(
    expression: Annotated[
        str, typer.Argument(metavar="EXPRESSION", help="A cron expression, a duration or a point in time.")
    ],
    timezone: Annotated[str, typer.Option(metavar="TZ", help="An IANA time zone name.")] = "UTC",
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Start after this time (RFC 3339); by default now."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Number of times to show.")] = 10,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="DAYS", help="Mark the times on these days: a date, a range, or a day of every year."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the next scheduled times of an expression and mark what daylight saving time changes."""
    with refused_at(Place(field="--timezone")):
        zone = check_timezone(timezone)
    with refused_at(Place(field="--exclude")):
        calendars = read_exclude(exclude or [])
    after = datetime.now(UTC) if start is None else instant("--from", start, lambda: zone, quiet=as_json)
    trigger = _trigger(expression)
    found = preview(trigger, zone, after, count, calendars)
    remarks = list(surprises(trigger.expression)) if isinstance(trigger, Cron) else []
    remarks += ["it runs only on request"] if isinstance(trigger, OnRequest) else []
    if as_json:
        write_json("preview", PreviewAnswer(expression, zone, after, [Occurrence.of(one) for one in found], remarks))
        return
    in_zone = zone != "UTC"
    shown = Sheet("UTC", *([zone] if in_zone else []), "remark", wraps=("remark",), if_any=("remark",))
    for occurrence in found:
        local = [occurrence.local.isoformat(sep=" ")] if in_zone else []
        shown.add(when(occurrence.instant), *local, remark_on(occurrence))
    console = screen()
    if found or not remarks:
        console.print(shown)
    print_sentences(console, remarks)


def _print(
    application: Application,
    found: Sequence[tuple[Schedule, Sequence[Preview]]],
    remarks: Sequence[tuple[Code, str]],
    *,
    strict: bool,
) -> None:
    """Write the verdict, the remarks, and the schedules, each with the instants that come next."""
    console = screen()
    warnings = sum(code not in NOTES for code, _ in remarks)
    fails = strict and warnings
    of = [application.name, counted(len(found), "schedule"), *[counted(warnings, "warning")] * bool(warnings)]
    verdict = f"{'failed with --strict' if fails else 'OK'}: {', '.join(of)}"
    say(console, verdict, "bold red" if fails else "bold green")
    for code, text in remarks:
        what, style = ("note", "none") if code in NOTES else ("warning", "yellow")
        say(console, f"{what}[{code}]: {text}", style, hang=2)
    console.print()
    shown = Sheet("schedule", "when", "time zone", "jobs", "next", wraps=("jobs",), spare=("jobs", "time zone"))
    for schedule, coming in found:
        jobs = ", ".join(job.name for job in schedule.jobs)
        cells = (schedule.name, str(schedule.trigger), schedule.timezone, jobs)
        first = in_zone_text(coming[0]) if coming else ON_REQUEST if schedule.on_request else "never"
        shown.add(*cells, first)
        for later in coming[1:]:
            shown.add(*(("", "", "", "") if for_people() else cells), in_zone_text(later))
    console.print(shown)
    if application.defaults:
        console.print()
        said = ", ".join(f"{name} {_as_written(value)}" for name, value in application.defaults.items())
        say(console, f"defaults: {said}")


def _as_written(value: Any) -> str:
    """Return a default of a file as people write it; of `env` the names."""
    if isinstance(value, float):
        return format_duration(value)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {one}' for name, one in value.items())} }}"
    if isinstance(value, list):
        return " ".join(" ".join(one) if isinstance(one, dict) else str(one) for one in value)
    return str(value)


def _trigger(expression: str) -> Trigger:
    if expression in {ON_REQUEST, "on_request"}:
        return OnRequest()
    try:
        with refused_at(Place(field="EXPRESSION")):
            return Every(check_duration(expression, SHORTEST_INTERVAL))
    except InvalidDuration:
        pass
    try:
        return At(parse_instant(expression))
    except InvalidInstant:
        return Cron(expression)
