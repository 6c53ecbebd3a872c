"""`leased retry`: runs that try others again which are over."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer
from sqlalchemy import Connection

from lease.durations import format_duration

from ....answers.acts import RetryManyAnswer
from ....operations.cancel import Choice
from ....operations.retry import RetriedRun, Retry, find_failed, retry_many
from ....operations.retry import retry as retry_run
from ....text import counted, number
from ...ask import ask, run_given
from ...failures import Misused
from ...options import Application, By, Database, Json, Why, author, moment
from ...screen import print_sentences, say, screen, write_json
from .shown_first import (
    Acting,
    DryRun,
    OfSchedule,
    OfTag,
    OneRun,
    Yes,
    by_schedule,
    confirm,
    done_to,
    one_application,
    refuse_beside_a_run,
)

_FROM_HELP = (
    "Run this job and all later ones again, even if they succeeded; by default start at the first unfinished job."
)
_FAILED_HELP = "All failed runs that have not been retried, even if their schedule has succeeded since."
_SINCE_HELP = "With --failed: only runs that ended within this duration, or since then; by default 24h."
_BY_DEFAULT = 24 * 3600.0
_LONGEST = 10 * 365 * 24 * 3600.0


def retry(
    run: OneRun = None,
    from_job: Annotated[str | None, typer.Option("--from", metavar="JOB", help=_FROM_HELP)] = None,
    failed: Annotated[bool, typer.Option("--failed", help=_FAILED_HELP)] = False,
    since: Annotated[str | None, typer.Option(metavar="DURATION|TIME", help=_SINCE_HELP)] = None,
    schedule: OfSchedule = None,
    tag: OfTag = None,
    application: Application = None,
    why: Why = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Retry a failed or cancelled run: jobs that succeeded are kept, the others run again."""
    who = author(by, why)
    if run is None:
        _refuse_without_run(failed=failed, from_job=from_job)
        acting = Acting(database, who, why, dry_run, yes, as_json)
        retry_those(Choice(schedule, tag, application), _since(since, quiet=as_json), acting)
        return
    of_many = {"--failed": failed, "--since": since, "--schedule": schedule, "--tag": tag}
    refuse_beside_a_run({**of_many, "--dry-run": dry_run, "--yes": yes})
    run_id = run_given(database, run, application, "not skipped")
    again = partial(retry_run, run_id=run_id, requested_by=who, why=why, from_job=from_job)
    done = ask(database, again, write=True)
    if as_json:
        write_json("retry", done)
        return
    say(screen(), _sentence(done))


def _refuse_without_run(*, failed: bool, from_job: str | None) -> None:
    if not failed:
        raise Misused("say which run: give its number, or use --failed for all that failed")
    if from_job is not None:
        raise Misused("--from needs the number of one run: give it, or leave out --from")


def _since(text: str | None, *, quiet: bool) -> float:
    if text is None:
        return _BY_DEFAULT
    given = moment("--since", text, past=True, quiet=quiet)
    seconds = (given if isinstance(given, timedelta) else datetime.now(UTC) - given).total_seconds()
    if not 0 < seconds <= _LONGEST:
        raise Misused(f'--since "{text}" is not between 1s and {format_duration(_LONGEST)} ago')
    return seconds


def _sentence(done: Retry) -> str:
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


_SHOWN = 10
"""How many runs that are left out are named, each with the reason; --json has all of them."""


def retry_those(choice: Choice, within: float, acting: Acting) -> None:
    """Show the runs that failed in the last ``within`` seconds, ask, and retry those that were shown."""

    def look(connection: Connection) -> list[RetriedRun]:
        one_application(connection, choice)
        return find_failed(connection, choice, within)

    found = ask(acting.database, look)
    left_out = [run for run in found if run.outcome != "retried"]
    found = [run for run in found if run.outcome == "retried"]
    if found and not acting.dry_run:
        if not acting.as_json:
            screen().print(by_schedule(found))
        confirm(f"Retry {_them(found)}?", yes=acting.yes)
        found = done_to(
            acting,
            found,
            lambda part: lambda connection: retry_many(connection, part, requested_by=acting.who, why=acting.why),
        )
    if acting.as_json:
        write_json("retry-many", RetryManyAnswer(acting.dry_run, [*found, *left_out]))
        return
    if not found:
        say(screen(), "there is nothing to retry: every run that failed in that time has been retried")
    elif acting.dry_run:
        screen().print(by_schedule(found))
        say(screen(), f"{_them(found)} would be retried; nothing was done")
    else:
        say(screen(), _done(found))
    _tell_left_out([*(run for run in found if run.outcome == "left out"), *left_out])


def _them(found: Sequence[RetriedRun]) -> str:
    return f"{counted(len(found), 'run')} that failed"


def _done(done: Sequence[RetriedRun]) -> str:
    counts = Counter(run.outcome for run in done)
    made = sorted(run.retried_as for run in done if run.outcome == "retried" and run.retried_as is not None)
    said = []
    if made:
        which = f"run {made[0]}" if len(made) == 1 else f"runs {made[0]} to {made[-1]}"
        said.append(f"{counted(len(made), 'run')} retried, as {which}")
    if counts["already"]:
        said.append(f"{number(counts['already'])} had already been retried")
    return "; ".join(said) or "nothing was retried"


def _tell_left_out(runs: Sequence[RetriedRun]) -> None:
    told = [f"left out: {run.why}" for run in runs[:_SHOWN] if run.why]
    if len(runs) > _SHOWN:
        told.append(f"and {counted(len(runs) - _SHOWN, 'run')} more; --json lists all of them")
    print_sentences(screen(), told)
