"""`leased check` and `leased preview`: definitions and expressions, with the instants they give, and remarks on what is
right and may surprise all the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import typer

from lease.durations import format_duration
from lease.errors import InvalidDuration, StoreUnavailable

from ....definitions.application import Application
from ....definitions.schedule import SHORTEST_INTERVAL, Preview, Schedule, preview_schedule
from ....definitions.triggers.trigger import Cron, check_timezone
from ....definitions.triggers.wall_time import surprises
from ....definitions.values.calendars import read_exclude
from ....definitions.values.durations import check_duration
from ....definitions.values.refusal import refused_at
from ....errors import InvalidInstant, Place, SchemaNotReady
from ....instants import parse_instant
from ....scheduling.plan import waits_for_predecessor
from ....service.settings import read_settings
from ....states import ON_REQUEST
from ....text import counted, listed, number, when
from ...failures import FAILED, NoDatabase
from ...load_file import load_file
from ...options import Database, File, Json, instant
from ...screen import Sheet, for_people, print_sentences, say, screen, write_json
from .second_load import second_load


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An instant at which a schedule is due; ``note`` says what daylight saving time changes about it,
    ``excluded`` which day or calendar keeps it from running.
    """

    instant: datetime
    local: str
    note: str | None
    excluded: str | None

    @classmethod
    def of(cls, coming: Preview) -> Self:
        return cls(coming.instant, coming.local.isoformat(), coming.note, coming.excluded)


def in_zone_text(coming: Preview) -> str:
    """Return a time by the clock of its time zone, with its remarks."""
    remark = remark_on(coming)
    return f"{coming.local.isoformat(sep=' ')}{f' ({remark})' if remark else ''}"


def remark_on(coming: Preview) -> str:
    """Return that a time is excluded, and what daylight saving time changes about it."""
    excluded = f"excluded: {coming.excluded}" if coming.excluded else None
    return ", ".join(filter(None, (excluded, coming.note)))


# The remarks

_LOOKED_AT = 366
"""So many instants are looked at for one that is not excluded."""
APART = "both names have history, so nothing is taken over; remove the former name from was"
"""Said of a schedule with `was`."""
_IN_A_THREAD = (
    "it runs in a thread of the replica: it cannot be killed, shares its memory, and takes the replica with it if it "
    "crashes; it must call run.ensure() regularly, or the replica exits if the job does not stop in time"
)
_NAMED = 3
"""So many schedules one sentence names."""
_LISTED = 10
"""So many subjects one warning names."""
Code = Literal[
    "all-excluded",
    "cron-days",
    "disabled",
    "import-effects",
    "left-behind",
    "never-due",
    "no-folder",
    "no-retention",
    "no-timeout",
    "no-timezone",
    "not-checked",
    "thread",
    "unreached-timeout",
    "unused-slots",
    "was",
    "was-apart",
]
"""One for each cause, by which people look it up: a code stays as it is."""
NOTES: frozenset[Code] = frozenset({"disabled", "thread", "was"})
"""The codes of notes, about something that somebody wrote on purpose: `--strict` ignores them."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark about a job, or about its schedule or FILE as a whole."""

    code: Code
    text: str
    job: str | None = None

    @property
    def in_words(self) -> str:
        return self.text if self.job is None else f"job {self.job}: {self.text}"


def together(of_schedules: Iterable[tuple[str, Remark]], of_file: Iterable[Remark]) -> Iterator[tuple[Code, str]]:
    """Yield each remark once, with all schedules and jobs that it is about, and its code."""
    about: dict[tuple[Code, str], dict[str, list[str]]] = {}
    for schedule, remark in of_schedules:
        jobs = about.setdefault((remark.code, remark.text), {}).setdefault(schedule, [])
        jobs += [] if remark.job is None else [remark.job]
    for (code, text), schedules in about.items():
        names = [f"{name} ({', '.join(jobs)})" if jobs else name for name, jobs in schedules.items()]
        yield code, f"{listed(names, _LISTED)}: {text}"
    yield from ((remark.code, remark.text) for remark in of_file)


def file_remarks(application: Application, left: str | None) -> Iterator[Remark]:
    """Yield what may surprise in a FILE as a whole, which leaves ``left`` behind when it is loaded."""
    if left is not None and any(job.isolation == "process" for each in application.schedules for job in each.jobs):
        yield Remark(
            "import-effects",
            f"{application.source.name} leaves {left} behind when it is loaded, so each child process of a "
            "function loads it again, which takes more time and memory; do this in the job that needs it, or "
            "clean up at the end of the file (close a connection, dispose of an engine)",
        )
    if unbounded := [schedule.name for schedule in application.schedules if schedule.keep is None]:
        of = "" if len(unbounded) == len(application.schedules) else f" for {listed(unbounded, _NAMED)}"
        limit = "keep = { days = 90, runs = 500 }"
        yield Remark("no-retention", f"no retention set{of}; history grows without limit. Add {limit}")
    sharing = Counter(schedule.lock for schedule in application.schedules)
    for schedule in application.schedules:
        is_alone = schedule.lock is not None and schedule.lock.slots > 1 == sharing[schedule.lock]
        if is_alone and waits_for_predecessor(schedule.overlap):
            alone = f"{schedule.name} alone has the lock {schedule.lock}"
            serial = f'with overlap = "{schedule.overlap}" one run at a time, so it needs only one slot'
            yield Remark("unused-slots", f'{alone}, and {serial}; overlap = "allow" would use all of them')


def remarks_on(schedule: Schedule, now: datetime, folder: Path) -> Iterator[Remark]:
    """Yield what may surprise in a schedule of a FILE in ``folder``."""
    if schedule.cron is not None:
        if "timezone" not in schedule.model_fields_set:
            yield Remark("no-timezone", "it has no timezone, so it uses UTC")
        yield from (Remark("cron-days", text) for text in surprises(schedule.cron))
    for job in schedule.jobs:
        limit = schedule.run_timeout
        if job.timeout is None and limit is None and schedule.stall_after is None:
            yield Remark("no-timeout", "no timeout; a job that hangs blocks its schedule until you stop it", job.name)
        if job.timeout is not None and limit is not None and job.timeout > limit:
            longer = "its timeout is never reached, because run_timeout, which covers all jobs together, is shorter"
            yield Remark("unreached-timeout", longer, job.name)
        if job.isolation == "thread":
            yield Remark("thread", _IN_A_THREAD, job.name)
    for job in schedule.jobs:
        if job.cwd is not None and not (folder / job.cwd).is_dir():
            yield Remark("no-folder", f"its cwd {job.cwd} does not exist on this machine", job.name)
    if not schedule.enabled:
        yield Remark("disabled", "it is disabled, so it is never due")
    elif not schedule.on_request and next(schedule.instants(now, now), None) is None:
        yield Remark("never-due", "it has no further scheduled time")
    coming = preview_schedule(schedule, now, _LOOKED_AT) if schedule.exclude else ()
    if coming and all(one.excluded for one in coming):
        many = f"each of the next {number(len(coming))} scheduled times"
        what = "the only scheduled time left" if len(coming) == 1 else many
        yield Remark("all-excluded", f"exclude keeps {what} from running")


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


# The commands

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
    with second_load(file) as refuse_different:
        application = load_file(file, flags)
        settings = read_settings(flags, application.settings, source=file)
        left = refuse_different(application)
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
    schedule = Schedule.model_construct(name="", timezone=zone, exclude=calendars, **_timing(expression))
    found = preview_schedule(schedule, after, count)
    remarks = [] if schedule.cron is None else list(surprises(schedule.cron))
    remarks += ["it runs only on request"] if schedule.on_request else []
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


def _timing(expression: str) -> dict[str, Any]:
    if expression in {ON_REQUEST, "on_request"}:
        return {"on_request": True}
    try:
        with refused_at(Place(field="EXPRESSION")):
            return {"every": check_duration(expression, SHORTEST_INTERVAL)}
    except InvalidDuration:
        pass
    try:
        return {"at": parse_instant(expression)}
    except InvalidInstant:
        return {"cron": Cron(expression).expression}
