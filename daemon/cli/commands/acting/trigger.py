"""`leased trigger`, and the runs that `leased run --now` requests."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from ....definitions.application import Application
from ....operations.requester import recordable, requester
from ....operations.trigger import trigger as trigger_run
from ....operations.trigger import trigger_now
from ....scheduling.bring import bring
from ....scheduling.sync import plan_outgoing
from ....store.views import NotFound, applications_with, schedule_names
from ....text import suggestion
from ...ask import ask, ask_url
from ...failures import Misused
from ...options import Application as ApplicationName
from ...options import Database, Json
from ...screen import screen, write_json


def trigger(
    schedule: Annotated[str, typer.Argument(help="The name of the schedule.", show_default=False)],
    application: ApplicationName = None,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="The reason, recorded with the run.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who requests it; by default the user and the host.")
    ] = None,
    params: Annotated[str | None, typer.Option(metavar="JSON", help="Parameters of the run: a JSON object.")] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Request a run now, and record who asked and why; a replica executes it."""
    given = _params(params)
    if why is not None:
        recordable("--why", why)
    who = recordable("--by", by) if by is not None else requester()

    def unit(connection: Connection) -> tuple[str, int]:
        found = application if application is not None else _infer(connection, schedule)
        return found, trigger_run(connection, found, schedule, requested_by=who, why=why, params=given)

    found, run_id = ask(database, unit, write=True)
    if as_json:
        write_json("trigger", {"run_id": run_id, "application": found, "schedule": schedule})
        return
    screen().print(
        f"run {run_id} of {schedule} ({found}) is waiting for a replica; see: leased show {run_id}", soft_wrap=True
    )


def trigger_all(application: Application, url: str, names: Iterable[str]) -> None:
    """Bring the definitions, as the first of the replicas that are about to start does, and request a run
    of each schedule in ``names``, in one transaction.
    """
    while ask_url(url, lambda connection: plan_outgoing(connection, application), write=True):
        pass

    def unit(connection: Connection) -> None:
        bring(connection, application, by=requester(), holder="")
        trigger_now(connection, application.name, names)

    ask_url(url, unit, write=True)


def _infer(connection: Connection, schedule: str) -> str:
    found = applications_with(connection, schedule)
    if len(found) == 1:
        return found[0]
    if found:
        raise Misused(f'several applications have a schedule "{schedule}": add --application {found[0]}')
    raise NotFound(f'there is no schedule "{schedule}"; {suggestion(schedule, schedule_names(connection))}')


def _params(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        given = json.loads(text)
    except ValueError as error:
        raise Misused(f"--params is not valid JSON: {error}") from None
    if not isinstance(given, dict):
        raise Misused("--params is not a JSON object; an example of one: '{\"customer\": 7}'")
    return given
