"""`leased trigger`: a run on request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from ....operations.requester import recordable, requester
from ....operations.trigger import trigger as trigger_run
from ....store.views import NotFound, applications_with, nearest_of, require_application, schedule_names
from ...answers import write_json
from ...ask import ask
from ...failures import Misused
from ...options import Application, Database, Json
from ...screen import say, screen

_EXAMPLE = "an example of a JSON object: '{\"customer\": 7}'"
_PARAMS_HELP = (
    "Parameters of the run, put over those of the schedule by their names: a JSON object, or @FILE that holds one."
)


@dataclass(frozen=True, slots=True)
class TriggerAnswer:
    """The answer of `leased trigger --json`."""

    run_id: int
    application: str
    schedule: str


def trigger(
    schedule: Annotated[str, typer.Argument(help="The name of the schedule.", show_default=False)],
    application: Application = None,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="The reason, recorded with the run.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who requests it; by default the user and the host.")
    ] = None,
    params: Annotated[str | None, typer.Option(metavar="JSON", help=_PARAMS_HELP)] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Request a run now, and record who asked and why; a replica executes it."""
    given = _params(params)
    if why is not None:
        recordable("--why", why)
    who = recordable("--by", by) if by is not None else requester()

    def transaction(connection: Connection) -> tuple[str, int]:
        require_application(connection, application)
        found = application if application is not None else _infer(connection, schedule)
        return found, trigger_run(connection, found, schedule, requested_by=who, why=why, params=given)

    found, run_id = ask(database, transaction, write=True)
    if as_json:
        write_json("trigger", TriggerAnswer(run_id=run_id, application=found, schedule=schedule))
        return
    say(screen(), f"run {run_id} of {schedule} ({found}) is waiting for a replica; see `leased show {run_id}`")


def _infer(connection: Connection, schedule: str) -> str:
    found = applications_with(connection, schedule)
    if len(found) == 1:
        return found[0]
    if found:
        raise Misused(f'several applications have a schedule "{schedule}": add --application {" or ".join(found)}')
    raise NotFound(f'there is no schedule "{schedule}"; {nearest_of(schedule, schedule_names(connection))}')


def _params(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        given = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except OSError as error:
        raise Misused(f"--params {text} cannot be read: {error.strerror}; write @ and the path of a file") from None
    except ValueError as error:
        raise Misused(f"--params is not valid JSON: {error}; {_EXAMPLE}") from None
    if not isinstance(given, dict):
        raise Misused(f"--params is not a JSON object; {_EXAMPLE}")
    return given
