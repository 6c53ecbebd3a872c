"""`leased cancel`: the end of a run on request."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from lease.durations import format_duration

from ....answers.acts import CancelManyAnswer
from ....operations.cancel import Cancellation, CancelledRun, Choice, cancel_many, find_unfinished, said
from ....operations.cancel import cancel as cancel_run
from ....text import counted
from ...ask import ask, run_given
from ...failures import Misused
from ...options import Application, By, Database, Json, Why, author
from ...screen import say, screen, write_json
from .backfill import OfBackfill, act_on_backfill
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


def cancel(
    run: OneRun = None,
    schedule: OfSchedule = None,
    tag: OfTag = None,
    backfill: OfBackfill = None,
    application: Application = None,
    why: Why = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Cancel a run: a pending run ends at once; a running one ends when its job has stopped."""
    who = author(by, why)
    of_many = {"--schedule": schedule, "--tag": tag, "--application": application, "--dry-run": dry_run, "--yes": yes}
    if backfill is not None:
        beside = {"the number of a run": run, **of_many}
        act_on_backfill("cancel", backfill, beside, database=database, who=who, why=why, as_json=as_json)
        return
    if run is None:
        cancel_those(Choice(schedule, tag, application), Acting(database, who, why, dry_run, yes, as_json))
        return
    refuse_beside_a_run({**of_many, "--application": None})
    run_id = run_given(database, run, application, "active")
    done = ask(database, lambda connection: cancel_run(connection, run_id, requested_by=who, why=why), write=True)
    if as_json:
        write_json("cancel", done)
        return
    say(screen(), _sentence(done))


def _sentence(done: Cancellation) -> str:
    run = f"run {done.run_id} of {done.schedule} ({done.application})"
    why = f": {done.cancelled_why}" if done.cancelled_why else ""
    if done.already:
        return f"{run} was already cancelled by {done.cancelled_by}{why}; {_and_now(done)}"
    if done.state == "cancelled":
        return f"{run} is cancelled; {_and_now(done)}"
    return f"cancelling {run}: {_and_now(done)}"


def _and_now(done: Cancellation) -> str:
    """Return the present state of the run; promise nothing that only its replica can do."""
    if done.state == "cancelled":
        return "it has ended" if done.already else "it will not start"
    if done.lease_expires_in is None:
        return "nobody holds its lease, so the next replica that checks ends it"
    return (
        f"{done.replica or 'its replica'} will stop its job at the next renewal at the latest; if that replica is dead, "
        f"another one ends the run within {format_duration(max(0.0, round(done.lease_expires_in, 1)))}"
    )


def cancel_those(choice: Choice, acting: Acting) -> None:
    """Show the runs that are not over, ask, and cancel those; runs that were planned since continue."""
    if choice.schedule is None and choice.tag is None:
        raise Misused("say which runs: give the number of one run, --schedule NAME or --tag TAG")

    def look(connection: Connection) -> list[CancelledRun]:
        one_application(connection, choice)
        return find_unfinished(connection, choice)

    found = ask(acting.database, look)
    if found and not acting.dry_run:
        if not acting.as_json:
            screen().print(by_schedule(found))
        confirm(f"Cancel {_them(found)}?", yes=acting.yes)
        found = done_to(
            acting,
            found,
            lambda part: lambda connection: cancel_many(connection, part, requested_by=acting.who, why=acting.why),
        )
    if acting.as_json:
        write_json("cancel-many", CancelManyAnswer(acting.dry_run, found))
    elif not found:
        say(screen(), "there is nothing to cancel: all of these runs have finished")
    elif acting.dry_run:
        screen().print(by_schedule(found))
        say(screen(), f"{_them(found)} would be cancelled; nothing was done")
    else:
        say(screen(), _done_to_them(found))


def _them(found: Sequence[CancelledRun]) -> str:
    at_work = sum(run.state == "running" for run in found)
    return (
        f"{counted(len(found), 'run')}, of which {at_work:,} {'is' if at_work == 1 else 'are'} running"
        if at_work
        else counted(len(found), "run")
    )


def _done_to_them(done: Sequence[CancelledRun]) -> str:
    counts = Counter(run.outcome for run in done)
    ends = "; their replicas stop the jobs at the next renewal at the latest, and end the runs"
    return said(counts) + (ends if counts["marked"] else "")
