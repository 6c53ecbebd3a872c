"""`leased why`: why a schedule or a run does or does not run, with the evidence, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from ....answers.named import application_of
from ....operations.generations import read_standings
from ....operations.why import Evidence, Explanation, Moments, State, read_why_run, read_why_schedule, why_not_active
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....store.views import database_time, keys_named, require_application, require_schedule
from ....text import clean
from ...answers import write_json
from ...ask import ask
from ...failures import Misused
from ...options import Application, Database, Json, Utc, run_number
from ...screen import for_people, say, screen
from ...times import Times

if TYPE_CHECKING:
    from rich.console import Console

_WELL = {"due", "running", "succeeded", "on request"}
_ILL = {"stuck", "silent", "late", "late to finish", "failing", "failed", "abandoned", "no replica", "no definition"}


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """The answer of `leased why --json`."""

    database_time: datetime
    application: str
    schedule: str
    run_id: int | None
    """None: it is about the schedule."""
    state: State
    text: str
    """The state in one sentence."""
    since: datetime | None
    until: datetime | None
    """When it changes without anybody's help."""
    next: Sequence[str]
    """The commands that tell more, or help."""
    items: Sequence[Evidence]
    """The facts behind the sentence."""


def why(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|RUN", help="A schedule's name, or the number of a run.", show_default=False),
    ],
    utc: Utc = False,
    application: Application = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Say why a schedule or a run does or does not run, and what to do."""
    run_id = run_number(name) if name.isascii() and name.isdigit() else None
    if run_id is not None and application is not None:
        raise Misused("--application goes with the name of a schedule: leave it out, or leave out the number")
    takeover_after = read_settings({"database_url": database}).takeover_after

    def read(connection: Connection) -> tuple[datetime, Explanation]:
        now = database_time(connection)
        moments = Moments(now, Times.of(now, utc=utc or as_json).by_clock)
        if run_id is not None:
            return now, read_why_run(connection, run_id, moments)
        return now, _of_schedule(connection, name, application, takeover_after, moments)

    now, found = ask(database, read)
    if as_json:
        write_json("why", _answer(now, found))
    else:
        _show(screen(), found)


def _of_schedule(
    connection: Connection, name: str, application: str | None, takeover_after: float, moments: Moments
) -> Explanation:
    require_application(connection, application)
    dead = proven_dead(neighbours(connection))
    standings = read_standings(connection, application, dead=dead, takeover_after=takeover_after)
    if not keys_named(connection, name, application, retired=True):
        if (answer := why_not_active(name, standings)) is not None:
            return answer
        require_schedule(connection, name, application)
    of = application_of(connection, name, application)
    keys = keys_named(connection, name, of) or keys_named(connection, name, of, retired=True)
    own = [one for one in standings if one.application == of]
    return read_why_schedule(connection, name, keys[0], own, dead=dead, moments=moments)


def _answer(now: datetime, found: Explanation) -> WhyAnswer:
    said, of = found.sentence, (found.application, found.schedule, found.run_id)
    return WhyAnswer(now, *of, said.state, said.text, said.since, said.until, said.next, found.evidence)


def _show(console: "Console", found: Explanation) -> None:
    sentence = found.sentence
    what = found.schedule if found.run_id is None else f"run {found.run_id} of {found.schedule}"
    console.print(f"{clean(what)} ({clean(found.application)})  ", style="bold", end="", soft_wrap=True)
    console.print(
        sentence.state, style="green" if sentence.state in _WELL else "red" if sentence.state in _ILL else "yellow"
    )
    say(console, sentence.text, lead="  ")
    if sentence.next and for_people():
        say(console, " / ".join(sentence.next), "dim", lead="  ")
    if found.evidence:
        console.print()
    for one in found.evidence:
        say(console, one.text, lead=f"{clean(one.what):>14}  ")
