"""`leased pause`, `resume`, `backfill`, `backfills` and `retire`: acts on schedules, and on past instants of one."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal, TypeVar, assert_never

import typer
from sqlalchemy import Connection

from ....answers.acts import PauseAnswer, ResumeAnswer
from ....answers.questions import BackfillsAnswer
from ....operations.backfill import Backfill, ChangedBackfill, change_backfill, counted_text, foresee_backfill
from ....operations.backfill import backfill as run_missing
from ....operations.backfill_plan import Wanted
from ....operations.cancel import said
from ....operations.pause import PausedSchedule, ResumedSchedule, passed_text
from ....operations.pause import pause as pause_schedules
from ....operations.pause import resume as resume_schedules
from ....operations.retire import RetiredApplication, nothing_of
from ....operations.retire import retire as retire_application
from ....operations.selection import Selection, plan_some
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....states import ON_REQUEST
from ....store.views.acting import BackfillLine, read_backfills
from ....store.views.causes import paused_text
from ....store.views.names import application_of, require_application
from ....text import counted, listed, number, when
from ... import options
from ...ask import PATIENCE, act, ask, zone_of
from ...bring import plan_all_outgoing
from ...failures import Misused
from ...screen import Sheet, print_sentences, say, screen, write_json

T = TypeVar("T")

_PATIENCE_WITH_MANY = 60.0
"""How many seconds a command waits for the database that locks all schedules, and plans what is due of them."""

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The name of the schedule.")]
Tag = Annotated[str | None, typer.Option(metavar="TAG", help="All schedules with this tag.")]
All = Annotated[bool, typer.Option("--all", help="All schedules; with --application, all of that application.")]
_UNTIL_HELP = 'When the pause ends: "18:00", "tomorrow", "2026-12-01 02:00", or a duration from now. By default until `leased resume`.'


def pause(
    name: Name = None,
    tag: Tag = None,
    everything: All = False,
    backfill: options.OfBackfill = None,
    application: options.Application = None,
    until: Annotated[str | None, typer.Option(metavar="TIME|DURATION", help=_UNTIL_HELP)] = None,
    why: options.Why = None,
    by: options.By = None,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Pause schedules: scheduled times are skipped and recorded; requested and running runs continue."""
    who = options.author(by, why)
    if backfill is not None:
        beside = {"NAME": name, "--tag": tag, "--all": everything, "--application": application, "--until": until}
        act_on_backfill("pause", backfill, beside, database=database, who=who, why=why, as_json=as_json)
        return
    which = _which(name, tag, application, everything=everything)
    zone = zone_of(database, name, application)
    end = None if until is None else options.moment("--until", until, zone, quiet=as_json)
    done = _prepared(database, which, partial(pause_schedules, requested_by=who, why=why, until=end))
    if as_json:
        write_json("pause", PauseAnswer(done))
        return
    print_sentences(screen(), map(_paused, done), "none")


def resume(
    name: Name = None,
    tag: Tag = None,
    everything: All = False,
    backfill: options.OfBackfill = None,
    application: options.Application = None,
    why: options.Why = None,
    by: options.By = None,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Resume paused schedules and show how many scheduled times passed; none of those will run."""
    who = options.author(by, why)
    if backfill is not None:
        beside = {"NAME": name, "--tag": tag, "--all": everything, "--application": application}
        act_on_backfill("resume", backfill, beside, database=database, who=who, why=why, as_json=as_json)
        return
    which = _which(name, tag, application, everything=everything)
    done = _prepared(database, which, partial(resume_schedules, requested_by=who, why=why))
    if as_json:
        write_json("resume", ResumeAnswer(done))
        return
    said = [_resumed(one) for one in done if one.resumed or len(done) == 1]
    others = sum(not one.resumed for one in done)
    if len(done) > 1 and others:
        more = "1 schedule was not paused, and stays as it was"
        said.append(more if others == 1 else f"{number(others)} schedules were not paused, and stay as they were")
    print_sentences(screen(), said, "none")


def _which(name: str | None, tag: str | None, application: str | None, *, everything: bool) -> Selection:
    given = sum((name is not None, tag is not None, everything))
    if given == 0:
        raise Misused("say which schedules: the NAME of one, --tag TAG or --all")
    if given > 1:
        raise Misused("give only one of NAME, --tag and --all")
    return Selection(application, name, tag)


def _prepared(database: str | None, which: Selection, act: Callable[[Connection, Selection], T]) -> T:
    """Act on schedules. If it locks many, plan their due times first, so that it holds the locks briefly."""
    patience = PATIENCE
    if which.name is None:
        patience = _PATIENCE_WITH_MANY
        while ask(database, partial(plan_some, selected=which), write=True, patience=patience):
            pass
    return ask(database, lambda c: act(c, which.in_one_application(c)), write=True, patience=patience)


def _paused(one: PausedSchedule) -> str:
    named = f"{one.schedule} ({one.application})"
    pause_ = paused_text(one.paused_by, one.paused_at, one.paused_until, one.paused_why)
    match one.done:
        case "paused" if one.timing == ON_REQUEST:
            return f"{named} is paused, but it runs only on request, so nothing is skipped: requested runs continue"
        case "paused" if one.paused_until is None:
            return f"{named} is paused until `leased resume {one.schedule}`; scheduled times until then do not run"
        case "paused":
            return f"{named} is paused until {when(one.paused_until)}; scheduled times until then do not run"
        case "changed":
            return f"{named} was already paused, and is now {pause_}"
        case "already paused":
            return f"{named} is already {pause_}; nothing changed; to change the pause, give another --until or --why"
        case _:
            assert_never(one.done)


def _resumed(one: ResumedSchedule) -> str:
    named = f"{one.schedule} ({one.application})"
    following = "it has no further scheduled time" if one.next_due is None else f"it runs next at {when(one.next_due)}"
    following = "it runs only on request" if one.timing == ON_REQUEST else following
    if not one.resumed:
        return f"{named} is not paused, so nothing changed; {following}"
    return f"{named} is resumed: {passed_text(one.passed)}; {following}"


_AT_MOST_HELP = 'How many of its runs may be active at a time; more than 1 needs overlap = "allow".'


def backfill(
    schedule: options.ScheduleName,
    first: Annotated[
        str, typer.Option("--from", metavar="TIME", help='The first scheduled time: "yesterday 02:00", "2026-11-01", …')
    ],
    last: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The last scheduled time; a date includes that day.")
    ],
    at_most: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help=_AT_MOST_HELP)] = 1,
    application: options.Application = None,
    why: options.Why = None,
    by: options.By = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Run a schedule's past scheduled times that have not succeeded, one run each, after its other runs."""
    zone = zone_of(database, schedule, application)
    start = options.instant("--from", first, zone, past=True, quiet=as_json)
    end = options.instant("--to", last, zone, past=True, to_end=True, quiet=as_json)
    if start > end:
        raise Misused(f"--from {when(start)} is after --to {when(end)}; give the earlier time as --from")
    who = options.author(by, why)

    def look(connection: Connection) -> tuple[Wanted, Backfill]:
        wanted = Wanted(application_of(connection, schedule, application), schedule, start, end, at_most)
        return wanted, foresee_backfill(connection, wanted)[0]

    wanted, done = ask(database, look)
    named = f"{schedule} ({wanted.application})"
    if not dry_run:
        if done.will_run:
            options.confirm(f"{named}: {counted_text(done)}. Run them?", yes=yes)
        done = ask(database, lambda c: run_missing(c, wanted, requested_by=who, why=why), write=True)
    if as_json:
        write_json("backfill", done)
        return
    if not done.instants:
        span = f"from {when(start)} to {when(end)}"
        say(screen(), f"{named} has no scheduled time {span} in what has been planned so far; nothing was done", hang=2)
    else:
        say(screen(), f"{named}: {counted_text(done)}; {_and_now(done)}", hang=2)


def backfills(
    limit: options.Limit = 20,
    database: options.Database = None,
    application: options.Application = None,
    as_json: options.Json = False,
) -> None:
    """List backfills and the progress of each, latest first."""

    def read(connection: Connection) -> list[BackfillLine]:
        require_application(connection, application)
        return read_backfills(connection, limit=limit, application=application)

    found = ask(database, read)
    if as_json:
        write_json("backfills", BackfillsAnswer(found))
        return
    if not found:
        say(screen(), "There are no backfills; `leased backfill NAME --from TIME --to TIME` requests one.")
        return
    shown = Sheet(
        *("backfill", "application", "schedule", "from", "to", "runs", "done", "failed", "state", "who", "why"),
        right=("backfill", "runs", "done", "failed"),
        wraps=("why",),
        spare=("to",),
    )
    for one in found:
        counts = (number(one.instants), number(one.done), number(one.failed) if one.failed else "")
        span = (when(one.first), when(one.last))
        cells = (*span, *counts, _state(one), one.requested_by, one.requested_why)
        shown.add(one.backfill_id, one.application, one.schedule, *cells)
    screen().print(shown)


def _state(one: BackfillLine) -> str:
    if one.cancelled_at is not None:
        return "cancelled"
    if one.is_over:
        return "over"
    return "paused" if one.paused_at is not None else "open"


def _and_now(done: Backfill) -> str:
    if done.dry_run:
        return "nothing was done"
    if done.backfill_id is None:
        return "there is nothing left to run; nothing was done"
    at_a_time = "one at a time" if done.at_most == 1 else f"at most {done.at_most} at a time"
    return f"backfill {done.backfill_id} runs them after other runs, {at_a_time}; see `leased backfills`"


def act_on_backfill(
    what: Literal["pause", "resume", "cancel"],
    backfill_id: int,
    beside: Mapping[str, object],
    *,
    database: str | None,
    who: str,
    why: str | None,
    as_json: bool,
) -> None:
    """Pause, resume or cancel a backfill; raises `Misused` for other options that select runs."""
    options.refuse_beside(beside, "cannot be combined with --backfill: leave it out")
    change = partial(change_backfill, what=what, backfill_id=backfill_id, requested_by=who, why=why)
    act(database, change, "backfill-changed", partial(_changed, what), as_json=as_json, hang=2)


def _changed(what: str, done: ChangedBackfill) -> str:
    named = f"backfill {done.backfill_id} of {done.schedule} ({done.application})"
    if done.already:
        before = {"pause": "was already paused", "resume": "is not paused", "cancel": "was already cancelled"}
        return f"{named} {before[what]}; nothing changed"
    words = {
        "pause": "is paused: runs that have been enqueued continue, and no other starts until you resume it",
        "resume": "is resumed: its runs start again, after all others",
        "cancel": f"is cancelled: {said(Counter(run.outcome for run in done.runs))}",
    }
    return f"{named} {words[what]}"


def retire(
    application: options.Application = None,
    why: options.Why = None,
    by: options.By = None,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Retire an application for good: retire its schedules and cancel its waiting runs."""
    who = options.author(by, why)
    if application is None:
        raise Misused("name the application: `leased retire --application NAME`")
    ask(database, lambda connection: require_application(connection, application))
    plan_all_outgoing(nothing_of(application), read_settings({"database_url": database}).database)

    def transaction(connection: Connection) -> RetiredApplication:
        dead = proven_dead(neighbours(connection))
        return retire_application(connection, application, requested_by=who, why=why, dead=dead)

    act(database, transaction, "retire", _retired, as_json=as_json)


def _retired(done: RetiredApplication) -> str:
    if done.already:
        return f"{done.application} is already retired: nothing is left to retire"
    runs = counted(done.cancelled, "waiting run")
    return f"{done.application} is retired: {listed(done.schedules) or 'no schedule'}; {runs} cancelled"
