"""`leased trigger`, `cancel`, `retry` and `forget`: acts on runs, on one by its number or on many at once."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy import Connection

from lease.durations import format_duration

from ....answers.acts import CancelManyAnswer, RetryManyAnswer, TriggerAnswer
from ....operations.cancel import Cancellation, ChosenRun, cancel_many, find_unfinished, in_transactions, said
from ....operations.cancel import cancel as cancel_run
from ....operations.forget import Forgotten, foreseen
from ....operations.forget import forget as forget_run
from ....operations.retry import Retry, find_failed, retry_many
from ....operations.retry import retry as retry_run
from ....operations.selection import Selection
from ....operations.trigger import Requested, request, trigger_as
from ....store.views.names import application_of, applications_with
from ....telemetry.spans import given_traceparent
from ....text import counted, number, when
from ... import options
from ...ask import act, ask, run_given, zone_of
from ...failures import Misused
from ...screen import Sheet, print_sentences, say, screen, write_json
from .schedules import act_on_backfill

C = TypeVar("C", bound=ChosenRun)

OneRun = Annotated[str | None, typer.Argument(metavar="RUN|NAME", help="The number of a run, or a schedule's name.")]
OfSchedule = Annotated[str | None, typer.Option("--schedule", metavar="NAME", help="Only runs of this schedule.")]
OfTag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Only runs of schedules with this tag.")]
_FROM_HELP = (
    "Run this job and all later ones again, even if they succeeded; by default start at the first unfinished job."
)
_FAILED_HELP = "All failed runs that have not been retried, even if their schedule has succeeded since."
_SINCE_HELP = "With --failed: only runs that ended within this duration, or since then; by default 24h."
_LONGEST = timedelta(days=3650)
_SHOWN = 10
"""How many runs that are left out are named, each with the reason; --json has all of them."""
_SELECTS_MANY = "selects many runs: leave it out, or leave out the run's number"
_WHAT = "params, reasons, errors and output"


@dataclass(frozen=True, slots=True)
class _Acting:
    """The author and the options of an act on many runs."""

    database: str | None
    who: str
    why: str | None
    dry_run: bool
    yes: bool
    as_json: bool


def cancel(
    run: OneRun = None,
    schedule: OfSchedule = None,
    tag: OfTag = None,
    backfill: options.OfBackfill = None,
    application: options.Application = None,
    why: options.Why = None,
    by: options.By = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Cancel a run: a pending run ends at once; a running one ends when its job has stopped."""
    who = options.author(by, why)
    of_many = {"--schedule": schedule, "--tag": tag, "--application": application, "--dry-run": dry_run, "--yes": yes}
    if backfill is not None:
        beside = {"the number of a run": run, **of_many}
        act_on_backfill("cancel", backfill, beside, database=database, who=who, why=why, as_json=as_json)
        return
    if run is None:
        _cancel_many(Selection(application, schedule, tag), _Acting(database, who, why, dry_run, yes, as_json))
        return
    options.refuse_beside({**of_many, "--application": None}, _SELECTS_MANY)
    run_id = run_given(database, run, application, "active")
    unit = partial(cancel_run, run_id=run_id, requested_by=who, why=why)
    act(database, unit, "cancel", _cancelled, as_json=as_json)


def retry(
    run: OneRun = None,
    from_job: Annotated[str | None, typer.Option("--from", metavar="JOB", help=_FROM_HELP)] = None,
    failed: Annotated[bool, typer.Option("--failed", help=_FAILED_HELP)] = False,
    since: Annotated[str | None, typer.Option(metavar="DURATION|TIME", help=_SINCE_HELP)] = None,
    schedule: OfSchedule = None,
    tag: OfTag = None,
    application: options.Application = None,
    why: options.Why = None,
    by: options.By = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Retry a failed or cancelled run: jobs that succeeded are kept, the others run again."""
    who = options.author(by, why)
    if run is None:
        if not failed:
            raise Misused("say which run: give its number, or use --failed for all that failed")
        if from_job is not None:
            raise Misused("--from needs the number of one run: give it, or leave out --from")
        within = timedelta(hours=24)
        if since is not None:
            given = options.moment("--since", since, past=True, quiet=as_json)
            within = given if isinstance(given, timedelta) else datetime.now(UTC) - given
            if not timedelta(0) < within <= _LONGEST:
                raise Misused(
                    f'--since "{since}" is not between 1s and {format_duration(_LONGEST.total_seconds())} ago'
                )
        acting = _Acting(database, who, why, dry_run, yes, as_json)
        _retry_many(Selection(application, schedule, tag), within.total_seconds(), acting)
        return
    of_many = {"--failed": failed, "--since": since, "--schedule": schedule, "--tag": tag}
    options.refuse_beside({**of_many, "--dry-run": dry_run, "--yes": yes}, _SELECTS_MANY)
    run_id = run_given(database, run, application, "not skipped")
    unit = partial(retry_run, run_id=run_id, requested_by=who, why=why, from_job=from_job)
    act(database, unit, "retry", _retried, as_json=as_json)


def forget(
    run_id: options.RunNumber,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="Reason; it is recorded and kept.")] = None,
    by: options.By = None,
    yes: options.Yes = False,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Delete the params, reasons, errors and output of a finished run; keep the record that it ran."""
    who = options.author(by, why)
    if not yes:
        which = ask(database, lambda connection: foreseen(connection, run_id))
        if not options.can_be_asked():
            raise Misused(f"forgetting {which} cannot be undone; add --yes to confirm")
        if not options.says_yes(f"Forget the {_WHAT} of {which}? They cannot be brought back."):
            raise Misused("nothing was forgotten; --yes skips the question")
    unit = partial(forget_run, run_id=run_id, requested_by=who, why=why)
    act(database, unit, "forget", _forgotten, as_json=as_json)


def _cancelled(done: Cancellation) -> str:
    """Return the present state of the run; promise nothing that only its replica can do."""
    if done.state == "cancelled":
        then = "it has ended" if done.already else "it will not start"
    elif done.lease_expires_in is None:
        then = "nobody holds its lease, so the next replica that checks ends it"
    else:
        then = (
            f"{done.replica or 'its replica'} will stop its job at the next renewal at the latest; if that replica is "
            f"dead, another one ends the run within {format_duration(max(0.0, round(done.lease_expires_in, 1)))}"
        )
    run = f"run {done.run_id} of {done.schedule} ({done.application})"
    why = f": {done.cancelled_why}" if done.cancelled_why else ""
    if done.already:
        return f"{run} was already cancelled by {done.cancelled_by}{why}; {then}"
    return f"{run} is cancelled; {then}" if done.state == "cancelled" else f"cancelling {run}: {then}"


def _retried(done: Retry) -> str:
    of = f"run {done.retry_of} of {done.schedule} ({done.application})"
    if done.already:
        why = f": {done.requested_why}" if done.requested_why else ""
        return f"{of} was already retried by {done.requested_by}{why}, as run {done.run_id}; that one is {done.state}"
    said = [f"run {done.run_id} tries {of} again: it runs {', '.join(done.jobs or ())}"]
    if done.carried:
        said.append(f"already done and kept: {', '.join(done.carried)}")
    if done.redefined:
        said.append("its definition has changed since, and it uses the current one")
    if done.gone:
        said.append(f"left out because no longer defined: {', '.join(done.gone)}")
    said.append("it waits for the runs before it" if done.waits else "it waits for a replica")
    return "; ".join(said)


def _forgotten(done: Forgotten) -> str:
    if done.already:
        return f"run {done.run_id} was already forgotten by {done.forgotten_by} at {when(done.forgotten_at)}"
    run = f"run {done.run_id} of {done.schedule} ({done.application})"
    return f"{run} is forgotten: its {_WHAT} are deleted; when it ran and how it ended are kept"


def _of_one(connection: Connection, which: Selection) -> Selection:
    """Return the selection, unless several applications have its schedule and none is named; raises `Misused`. Runs of
    retired schedules of that name, of any application, are meant as well.
    """
    found = [] if which.name is None or which.application else applications_with(connection, which.name)
    if len(found) > 1:
        raise Misused(f'several applications have a schedule "{which.name}": add --application {" or ".join(found)}')
    return which


def _cancel_many(which: Selection, acting: _Acting) -> None:
    """Show the runs that are not over, ask, and cancel those; runs that were planned since continue."""
    if which.name is None and which.tag is None:
        raise Misused("say which runs: give the number of one run, --schedule NAME or --tag TAG")
    found = ask(acting.database, lambda connection: find_unfinished(connection, _of_one(connection, which)))
    at_work = sum(run.state == "running" for run in found)
    running = f", of which {at_work:,} {'is' if at_work == 1 else 'are'} running" if at_work else ""
    them = f"{counted(len(found), 'run')}{running}"
    done = _shown_and_done(acting, found, f"Cancel {them}?", cancel_many)
    if acting.as_json:
        write_json("cancel-many", CancelManyAnswer(acting.dry_run, done))
    elif not done:
        say(screen(), "there is nothing to cancel: all of these runs have finished")
    elif acting.dry_run:
        say(screen(), f"{them} would be cancelled; nothing was done")
    else:
        counts = Counter(run.outcome for run in done)
        ends = "; their replicas stop the jobs at the next renewal at the latest, and end the runs"
        say(screen(), said(counts) + (ends if counts["marked"] else ""))


def _retry_many(which: Selection, within: float, acting: _Acting) -> None:
    """Show the runs that failed in the last ``within`` seconds, ask, and retry those that were shown."""
    found = ask(acting.database, lambda connection: find_failed(connection, _of_one(connection, which), within))
    left_out = [run for run in found if run.outcome != "retried"]
    found = [run for run in found if run.outcome == "retried"]
    them = f"{counted(len(found), 'run')} that failed"
    done = _shown_and_done(acting, found, f"Retry {them}?", retry_many)
    if acting.as_json:
        write_json("retry-many", RetryManyAnswer(acting.dry_run, [*done, *left_out]))
        return
    if not done:
        say(screen(), "there is nothing to retry: every run that failed in that time has been retried")
    elif acting.dry_run:
        say(screen(), f"{them} would be retried; nothing was done")
    else:
        counts = Counter(run.outcome for run in done)
        made = sorted(run.retried_as for run in done if run.outcome == "retried" and run.retried_as is not None)
        parts = []
        if made:
            those = f"run {made[0]}" if len(made) == 1 else f"runs {made[0]} to {made[-1]}"
            parts.append(f"{counted(len(made), 'run')} retried, as {those}")
        parts += [f"{number(counts['already'])} had already been retried"] if counts["already"] else []
        say(screen(), "; ".join(parts) or "nothing was retried")
    left_out = [*(run for run in done if run.outcome == "left out"), *left_out]
    told = [f"left out: {run.why}" for run in left_out[:_SHOWN] if run.why]
    if len(left_out) > _SHOWN:
        told.append(f"and {counted(len(left_out) - _SHOWN, 'run')} more; --json lists all of them")
    print_sentences(screen(), told)


def _shown_and_done(acting: _Acting, runs: Sequence[C], question: str, do: Callable[..., list[C]]) -> Sequence[C]:
    """Show how many runs there are of each schedule, ask, and act on them in parts, each in its own transaction; return
    what became of each, or the runs as they are if nothing is to be done.

    Progress goes to stderr, and if it stops early, so does what is left to do.
    """
    if runs and not acting.as_json:
        named = attrgetter("named")
        shown = Sheet("schedule", "application", "runs", "from", "to", right=("runs",))
        for (application, schedule), group in groupby(sorted(runs, key=named), key=named):
            instants = sorted(run.scheduled_for for run in group)
            shown.add(schedule, application, number(len(instants)), when(instants[0]), when(instants[-1]))
        screen().print(shown)
    if acting.dry_run or not runs:
        return runs
    options.confirm(question, yes=acting.yes)
    done: list[C] = []
    try:
        for part in in_transactions(runs):
            done += ask(acting.database, partial(do, runs=part, requested_by=acting.who, why=acting.why), write=True)
            if len(runs) > len(part) and not acting.as_json:
                options.tell(f"{number(len(done))} of {counted(len(runs), 'run')}")
    finally:
        if 0 < len(done) < len(runs) and not acting.as_json:
            options.tell(
                f"stopped after {number(len(done))} of {counted(len(runs), 'run')}; run the same command again for the rest"
            )
    return done


# `leased trigger`: a run on request

_EXAMPLE = "an example of a JSON object: '{\"customer\": 7}'"
_PARAMS_HELP = "Parameters of the run; they override the schedule's. A JSON object, or @FILE to read one from a file."
_PARAM_HELP = "One parameter, converted to the type that the schedule declares; repeatable."
_KEY_HELP = "Idempotency key: repeated requests with the same key return the same run."
_AT_HELP = 'When to start it: "18:00", "tomorrow", "2026-12-01 02:00", or after a duration like "15m".'


def trigger(
    schedule: options.ScheduleName,
    application: options.Application = None,
    why: options.Why = None,
    by: options.By = None,
    params: Annotated[str | None, typer.Option(metavar="JSON", help=_PARAMS_HELP)] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="K=V", help=_PARAM_HELP)] = None,
    key: Annotated[str | None, typer.Option(metavar="K", help=_KEY_HELP)] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME|DURATION", help=_AT_HELP)] = None,
    database: options.Database = None,
    as_json: options.Json = False,
) -> None:
    """Request a run, now or later, and record who asked and why; a replica executes it."""
    given, words = _params(params), _words(param or ())
    who = options.author(by, why)
    start = None if at is None else options.moment("--at", at, zone_of(database, schedule, application), quiet=as_json)
    when_to = start.total_seconds() if isinstance(start, timedelta) else start
    wanted = request("", schedule, requested_by=who, why=why, params=given, words=words, key=key, at=when_to)

    def transaction(connection: Connection) -> tuple[str, Requested]:
        found = application_of(connection, schedule, application)
        traced = replace(wanted, application=found, traceparent=given_traceparent(os.environ))
        return found, trigger_as(connection, traced)

    found, done = ask(database, transaction, write=True)
    if as_json:
        write_json("trigger", TriggerAnswer(done.run_id, found, schedule, done.already, done.at))
        return
    what = "waits for a replica" if done.at is None else f"starts at {when(done.at)}"
    if done.already:
        what = "was already requested with this key, so no second run is created"
    say(screen(), f"run {done.run_id} of {schedule} ({found}) {what}; see `leased show {done.run_id}`")


def _words(given: Sequence[str]) -> Mapping[str, str]:
    words: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise Misused(f'--param {one} is not a name and a value; write it like "--param customer=7"')
        if name in words:
            raise Misused(f"--param gives {name} twice; give it once")
        words[name] = value
    return words


def _params(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        given = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except OSError as error:
        reason = error.strerror
        raise Misused(f"--params {text} cannot be read: {reason}; write @PATH with the path of a file") from None
    except ValueError as error:
        raise Misused(f"--params is not valid JSON: {error}; {_EXAMPLE}") from None
    if not isinstance(given, dict):
        raise Misused(f"--params is not a JSON object; {_EXAMPLE}")
    return given
