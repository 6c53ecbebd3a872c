"""`leased pause` and `leased resume`: schedules whose instants do not run for a while."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar, assert_never

import typer
from sqlalchemy import Connection

from ....answers.acts import PauseAnswer, ResumeAnswer
from ....operations.pause import PausedSchedule, ResumedSchedule, passed_text
from ....operations.pause import pause as pause_schedules
from ....operations.pause import resume as resume_schedules
from ....operations.selection import Selection, plan_some
from ....states import ON_REQUEST
from ....store.views.causes import paused_text
from ....text import number, when
from ...ask import PATIENCE, ask, zone_of
from ...failures import Misused
from ...options import Application, By, Database, Json, OfBackfill, Why, author, moment
from ...screen import print_sentences, screen, write_json
from .backfill import act_on_backfill

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
    backfill: OfBackfill = None,
    application: Application = None,
    until: Annotated[str | None, typer.Option(metavar="TIME|DURATION", help=_UNTIL_HELP)] = None,
    why: Why = None,
    by: By = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Pause schedules: scheduled times are skipped and recorded; requested and running runs continue."""
    who = author(by, why)
    if backfill is not None:
        beside = {"NAME": name, "--tag": tag, "--all": everything, "--application": application, "--until": until}
        act_on_backfill("pause", backfill, beside, database=database, who=who, why=why, as_json=as_json)
        return
    which = _which(name, tag, application, everything=everything)
    zone = zone_of(database, name, application)
    end = None if until is None else moment("--until", until, zone, quiet=as_json)
    done = _prepared(database, which, partial(pause_schedules, requested_by=who, why=why, until=end))
    if as_json:
        write_json("pause", PauseAnswer(done))
        return
    print_sentences(screen(), map(_paused, done), "none")


def resume(
    name: Name = None,
    tag: Tag = None,
    everything: All = False,
    backfill: OfBackfill = None,
    application: Application = None,
    why: Why = None,
    by: By = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Resume paused schedules and show how many scheduled times passed; none of those will run."""
    who = author(by, why)
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
