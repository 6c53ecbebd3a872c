"""`leased cancel --schedule` and `--tag`: the end of all runs that are not over, shown first."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from ....answers.acts import CancelManyAnswer
from ....operations.many.cancel import CancelledRun, cancel_many, find_unfinished, said
from ....operations.many.chosen import Choice
from ....text import counted
from ...answers import write_json
from ...ask import ask
from ...failures import Misused
from ...screen import say, screen
from .shown_first import Acting, by_schedule, confirm, done_to, one_application


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
        say(screen(), _done(found))


def _them(found: Sequence[CancelledRun]) -> str:
    at_work = sum(run.state == "running" for run in found)
    return (
        f"{counted(len(found), 'run')}, of which {at_work:,} {'is' if at_work == 1 else 'are'} running"
        if at_work
        else counted(len(found), "run")
    )


def _done(done: Sequence[CancelledRun]) -> str:
    counts = Counter(run.outcome for run in done)
    ends = "; their replicas stop the jobs at the next renewal at the latest, and end the runs"
    return said(counts) + (ends if counts["marked"] else "")
