"""`leased why`: why a schedule or a run does or does not run, with the evidence, and what to do."""

from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.questions import explain_schedule, why_answer
from ....operations.why import Explanation, Moments, read_why_run
from ....service.settings import read_settings
from ....store.statements.schedule import database_time
from ....text import clean
from ...ask import ask
from ...options import Application, Database, Json, Utc, number_if_any
from ...screen import Times, for_people, say, screen, write_json

_WELL = {"due", "running", "succeeded", "on request"}
_ILL = {
    "stuck",
    "silent",
    "late",
    "late to finish",
    "long",
    "failing",
    "failed",
    "abandoned",
    "no replica",
    "no definition",
}


def why(
    name: Annotated[str, typer.Argument(metavar="NAME|RUN", help="A schedule's name, or the number of a run.")],
    utc: Utc = False,
    application: Application = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Say why a schedule or a run does or does not run, and what to do."""
    run_id = number_if_any(name, application)
    takeover_after = read_settings({"database_url": database}).takeover_after

    def read(connection: Connection) -> tuple[datetime, Explanation]:
        now = database_time(connection)
        moments = Moments(now, Times.of(now, utc=utc or as_json).by_clock)
        if run_id is not None:
            return now, read_why_run(connection, run_id, moments)
        return now, explain_schedule(connection, name, application, takeover_after, moments)

    now, found = ask(database, read)
    if as_json:
        write_json("why", why_answer(now, found))
        return
    console, sentence = screen(), found.sentence
    what = found.schedule if found.run_id is None else f"run {found.run_id} of {found.schedule}"
    console.print(f"{clean(what)} ({clean(found.application)})  ", style="bold", end="", soft_wrap=True)
    style = "green" if sentence.state in _WELL else "red" if sentence.state in _ILL else "yellow"
    console.print(sentence.state, style=style)
    say(console, sentence.text, lead="  ")
    if sentence.next and for_people():
        say(console, " / ".join(sentence.next), "dim", lead="  ")
    if found.evidence:
        console.print()
    for one in found.evidence:
        say(console, one.text, lead=f"{clean(one.what):>14}  ")
