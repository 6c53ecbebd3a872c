"""`leased retry --failed`: new runs for all that have failed, shown first."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from ....answers.acts import RetryManyAnswer
from ....operations.many.chosen import Choice
from ....operations.many.retry import RetriedRun, find_failed, retry_many
from ....text import counted, number
from ...answers import write_json
from ...ask import ask
from ...screen import print_sentences, say, screen
from .shown_first import Acting, by_schedule, confirm, done_to, one_application

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
