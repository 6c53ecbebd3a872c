"""The meaning of a name on the command line: the application of a schedule, and a run of it."""

from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Connection

from ..answers.named import application_of
from ..store.views.names import RunMeant, require_schedule, runs_meant, timezone_of
from .ask import ask
from .failures import Misused
from .moments import local_zone
from .options import run_number

RunOrName = Annotated[
    str,
    typer.Argument(
        metavar="RUN|NAME", help="The number of a run, or a schedule's name for its latest run.", show_default=False
    ),
]


def run_given(database: str | None, text: str, application: str | None, meant: RunMeant) -> int:
    """Return the number of the run that ``text`` stands for: a number is that of a run, and all else the name of a
    schedule. Raises `Misused` and `NotFound`.
    """
    if text.isascii() and text.isdigit():
        if application is not None:
            raise Misused("--application goes with the name of a schedule: leave it out, or leave out the number")
        return run_number(text)

    def read(connection: Connection) -> list[int]:
        require_schedule(connection, text, application)
        return runs_meant(connection, application_of(connection, text, application), text, meant)

    found = ask(database, read)
    if len(found) > 1:
        those = ", ".join(map(str, found))
        remedy = "name one by its number, or use --schedule NAME for all of them"
        raise Misused(f'several runs of "{text}" are active, the latest are {those}; {remedy}')
    return found[0]


def zone_of(database: str | None, schedule: str | None, application: str | None) -> Callable[[], str]:
    """Return a function that returns the time zone of a schedule, which it asks the database for, or of this terminal if
    none is named.
    """
    if schedule is None:
        return local_zone

    def read(connection: Connection) -> str:
        require_schedule(connection, schedule, application)
        return timezone_of(connection, application_of(connection, schedule, application), schedule)

    return lambda: ask(database, read)
