"""The runs to which something is done once they were shown: which they are, their table, and the question."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection

from lease.database.database import Unit

from ....operations.cancel import Choice, ChosenRun, in_transactions
from ....store.views.names import applications_with
from ....text import counted, number, when
from ...ask import ask
from ...failures import Misused
from ...question import NotConfirmed, can_be_asked, says_yes, tell
from ...screen import Sheet, add, table

C = TypeVar("C", bound=ChosenRun)


OneRun = Annotated[
    str | None,
    typer.Argument(metavar="RUN|NAME", help="The number of a run, or a schedule's name.", show_default=False),
]
OfSchedule = Annotated[str | None, typer.Option("--schedule", metavar="NAME", help="Only runs of this schedule.")]
OfTag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Only runs of schedules with this tag.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show which runs would be affected, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation; required without a terminal.")]


@dataclass(frozen=True, slots=True)
class Acting:
    """Who does something to many runs, and how."""

    database: str | None
    who: str
    why: str | None
    dry_run: bool
    yes: bool
    as_json: bool


def refuse_beside_a_run(given: Mapping[str, object]) -> None:
    """Raise `Misused` for an option that selects many runs, given together with the number of one."""
    for option, value in given.items():
        if value:
            raise Misused(f"{option} selects many runs: leave it out, or leave out the run's number")


def one_application(connection: Connection, choice: Choice) -> None:
    """Raise `Misused` if several applications have the schedule, and none is named."""
    if choice.schedule is None or choice.application is not None:
        return
    found = applications_with(connection, choice.schedule)
    if len(found) > 1:
        raise Misused(
            f'several applications have a schedule "{choice.schedule}": add --application {" or ".join(found)}'
        )


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless ``yes`` has answered; raises `Misused` if nobody can be asked, and `NotConfirmed` for a no."""
    if yes:
        return
    if not can_be_asked():
        raise Misused(
            f"{question} Not at a terminal, so nothing was done; --yes confirms, --dry-run shows what would be done"
        )
    if not says_yes(question):
        raise NotConfirmed("nothing was done")


def done_to(acting: Acting, runs: Sequence[C], act: Callable[[Sequence[C]], Unit[list[C]]]) -> list[C]:
    """Act on the runs in parts, each in its own transaction; return the outcome of each run.

    Progress goes to stderr, and if it stops early, so does what is left to do.
    """
    done: list[C] = []
    try:
        for part in in_transactions(runs):
            done += ask(acting.database, act(part), write=True)
            if len(runs) > len(part) and not acting.as_json:
                tell(f"{number(len(done))} of {counted(len(runs), 'run')}")
    finally:
        if 0 < len(done) < len(runs) and not acting.as_json:
            tell(
                f"stopped after {number(len(done))} of {counted(len(runs), 'run')}; run the same command again for the rest"
            )
    return done


def by_schedule(runs: Iterable[C]) -> Sheet:
    """Return a table of runs: how many there are of each schedule, and for which times."""
    shown = table("schedule", "application", "runs", "from", "to", right=("runs",), unless_one=("application",))
    for (application, schedule), group in groupby(sorted(runs, key=lambda run: run.named), key=lambda run: run.named):
        instants = sorted(run.scheduled_for for run in group)
        add(shown, schedule, application, number(len(instants)), when(instants[0]), when(instants[-1]))
    return shown
