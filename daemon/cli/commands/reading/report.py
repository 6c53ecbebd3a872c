"""`leased report` and `leased activity`: what became of all that was due in a night, with the deploys, acts and outages in
it; and who did what, when and why.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated, get_args

import typer
from sqlalchemy import Connection

from ....answers import filled
from ....answers.questions import ActivityAnswer, ReportAnswer
from ....states import Act as ActKind
from ....store.statements.schedule import database_time
from ....store.views.acting import ActLine, read_activity
from ....store.views.names import require_application, require_schedule
from ....store.views.report import Act, Deploy, Report, ScheduleReport, read_report
from ....text import counted, lasted, number, when
from ...ask import ask, zone_of
from ...failures import FAILED, Misused
from ...options import Application, Database, Json, Limit, Utc, before_now, moment, one_of
from ...screen import Sheet, Times, drawable, print_sentences, say, screen, write_json

MOST = 50
"""How many schedules are listed without --all, if they have something to say."""
_MOST_PROBLEMS = 10


def report(
    since: Annotated[
        str, typer.Option(metavar="DURATION|INSTANT", help="Report what was due since then: 22:00, yesterday, 12h.")
    ] = "24h",
    until: Annotated[
        str | None,
        typer.Option(metavar="DURATION|INSTANT", help="Report what was due before then; by default until now."),
    ] = None,
    database: Database = None,
    application: Application = None,
    whole: Annotated[
        bool, typer.Option("--all", help="List every schedule; by default, those that just succeeded are counted.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with status 1 if something was lost.")] = False,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Show what became of all that was due in a night, with deploys, acts and outages."""
    start = moment("--since", since, past=True, quiet=as_json)
    end = None if until is None else moment("--until", until, past=True, quiet=as_json)

    def read(connection: Connection) -> Report:
        require_application(connection, application)
        now = database_time(connection)
        first = before_now("--since", start, now)
        last = now if end is None else before_now("--until", end, now)
        if first >= last:
            raise Misused(f"--until: {when(last)} is not after --since, which is {when(first)}")
        return read_report(connection, first, last, application)

    found = ask(database, read)
    if as_json:
        write_json("report", filled(ReportAnswer, found))
    else:
        _show(found, Times.of(found.database_time, utc=utc), whole=whole)
    if check and not found.ok:
        raise typer.Exit(FAILED)


def _show(found: Report, times: Times, *, whole: bool) -> None:
    console = screen()
    say(console, found.verdict, "bold green" if found.ok else "bold red")
    long = lasted((found.until - found.since).total_seconds())
    say(console, f"{times.by_clock(found.since)} to {times.by_clock(found.until)} ({long})", "dim", lead="  ")
    wrong = [line for line in found.items if line.has_problem]
    for line in wrong[:_MOST_PROBLEMS]:
        say(console, _problem(line, times), "red", lead=f"  {drawable('✗')} ")
        if commands := line.next(found.since, found.until):
            say(console, " / ".join(commands), "dim", lead="    ")
    if more := len(wrong[_MOST_PROBLEMS:]):
        say(console, f"and {counted(more, 'more schedule')} with problems, first in the table", "red", lead="  ")
    _show_schedules(found, whole=whole)
    _deploys(found.deploys, times).print_below(console)
    _acts(found.acts, times).print_below(console)
    print_sentences(console, _notes(found, times), apart=True)


def _problem(line: ScheduleReport, times: Times) -> str:
    counts = {"failed": line.failed, "missed": line.missed, "made up": line.made_good}
    of = ", ".join(f"{number(count)} {what}" for what, count in counts.items() if count)
    parts = [f"{number(line.lost)} lost ({of})"] * bool(line.lost)
    parts += [f"{counted(line.requested_failed, 'run')} on request failed"] * bool(line.requested_failed)
    if line.not_planned_since is not None:
        parts.append(f"not planned since {times.by_clock(line.not_planned_since)}")
    return f"{line.schedule}: {', '.join(parts)}"


def _show_schedules(found: Report, *, whole: bool) -> None:
    console = screen()
    shown = Sheet(
        *("schedule", "application", "due", "succeeded", "failed", "missed", "skipped"),
        *("late", "retried", "recovered", "cancelled", "active", "on request"),
        right=("due", "succeeded", "failed", "missed", "late", "retried", "recovered", "cancelled", "active"),
        wraps=("skipped",),
        if_any=("missed", "skipped", "late", "retried", "recovered", "cancelled", "active", "on request"),
    )
    said = [line for line in found.items if whole or not line.is_plain]
    listed = said if whole else said[:MOST]
    for line in listed:
        skipped = ", ".join(f"{number(count)} {reason}" for reason, count in line.skipped.items())
        first = (number(line.due), number(line.succeeded), _some(line.failed), _some(line.missed), skipped)
        more = (line.late, line.retried, line.recovered, line.cancelled, line.active)
        failed = f"{number(line.requested_failed)} failed" if line.requested_failed else ""
        shown.add(line.schedule, line.application, *first, *map(_some, more), failed)
    shown.print_below(console)
    if left := len(said) - len(listed):
        say(console, f"and {counted(left, 'more schedule')} like these; --all lists them")
    if plain := [] if whole else [line for line in found.items if line.is_plain]:
        due = counted(sum(line.due for line in plain), "scheduled time")
        others = "more schedule" if said else "schedule"
        say(console, f"{counted(len(plain), others)} succeeded every time ({due}); --all lists them")


def _some(count: int) -> str:
    return number(count) if count else ""


def _deploys(found: Sequence[Deploy], times: Times) -> Sheet:
    shown = Sheet(
        *("deploy", "application", "generation", "revision", "by", "changes"),
        right=("generation", "revision"),
        wraps=("changes",),
        if_any=("revision",),
    )
    for one in found:
        shown.add(times.by_clock(one.at), one.application, one.generation, one.revision, one.by, one.changes)
    return shown


def _acts(found: Sequence[Act], times: Times) -> Sheet:
    columns = ("act", "application", "when", "who", "schedule", "times", "why")
    shown = Sheet(*columns, right=("times",), wraps=("why",), if_any=("schedule", "times", "why"))
    for one in found:
        of = (one.schedule or "") + (f" and {number(one.schedules - 1)} more" if one.schedules > 1 else "")
        count = number(one.count) if one.count > 1 else ""
        shown.add(one.act, one.application, times.by_clock(one.last_at), one.by, of, count, one.why)
    return shown


def _notes(found: Report, times: Times) -> Iterator[str]:
    for one in found.outages:
        start = times.by_clock(one.since)
        if one.until is None:
            yield f"Outage: no replica of {one.application} has planned anything since {start}."
        else:
            long = lasted((one.until - one.since).total_seconds())
            yield f"Outage: no replica of {one.application} planned anything from {start} to {times.by_clock(one.until)} ({long})."
    if found.pruned_until is not None:
        yield f"Runs of scheduled times up to {times.by_clock(found.pruned_until)} may have been deleted (`keep`)."
    if any(line.estimated for line in found.items):
        yield "A range of skipped times reaches beyond this report: those in it are counted as evenly spaced."


_ACTS: tuple[ActKind, ...] = get_args(ActKind)


def activity(
    schedule: Annotated[str | None, typer.Option(metavar="NAME", help="Only acts on this schedule.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Only what this user did: ann@web-1, or ann on any host.")
    ] = None,
    act: Annotated[str | None, typer.Option(metavar="ACT", help=f"Only this kind: {', '.join(_ACTS)}.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION|TIME", help="Only what was done since then, or within this duration."),
    ] = None,
    limit: Limit = 20,
    utc: Utc = False,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List who did what, when and why, latest first."""
    what, zone = one_of(_ACTS, "act", act), zone_of(database, schedule, application)
    start = None if since is None else moment("--since", since, zone, past=True, quiet=as_json)

    def read(connection: Connection) -> tuple[datetime, list[ActLine]]:
        require_schedule(connection, schedule, application)
        found = read_activity(
            connection, limit=limit, application=application, schedule=schedule, by=by, what=what, since=start
        )
        return database_time(connection), found

    now, found = ask(database, read)
    if as_json:
        write_json("activity", ActivityAnswer(found))
        return
    none = "Nobody has done anything yet; `leased trigger`, `cancel`, `pause`, `resume` and the like are listed here."
    if any(each is not None for each in (schedule, by, act, since, application)):
        none = "Nothing matches; `leased activity` without options lists everything."
    _table(found, Times.of(now, utc=utc)).print_or(screen(), none)


def _table(found: Sequence[ActLine], times: Times) -> Sheet:
    """Return a row for each act; one act on many schedules is one row."""
    shown = Sheet(
        *("when", "who", "act", "application", "schedule", "run", "why", "effect"),
        right=("run",),
        wraps=("why", "effect"),
        spare=("effect",),
        if_any=("run", "why", "effect"),
    )
    for _, alike in groupby(
        found, key=lambda one: (one.acted_at, one.acted_by, one.act, one.application, one.why, one.run_id)
    ):
        one, *more = alike
        schedules = f"{more[-1].schedule} and {number(len(more))} more" if more else one.schedule or ""
        until = f"until {times.by_clock(one.until)}" if one.until else None
        effect = "; ".join(filter(None, (until, None if more else one.effect)))
        shown.add(times(one.acted_at), one.acted_by, one.act, one.application, schedules, one.run_id, one.why, effect)
    return shown
