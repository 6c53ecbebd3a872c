"""`leased retire`: the end of an application that is gone for good."""

from sqlalchemy import Connection

from ....operations.retire import RetiredApplication, nothing_of
from ....operations.retire import retire as retire_application
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....store.views.names import require_application
from ....text import counted, listed
from ...ask import act, ask
from ...bring import plan_all_outgoing
from ...failures import Misused
from ...options import Application, By, Database, Json, Why, author


def retire(
    application: Application = None,
    why: Why = None,
    by: By = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Retire an application for good: retire its schedules and cancel its waiting runs."""
    who = author(by, why)
    if application is None:
        raise Misused("name the application: `leased retire --application NAME`")
    ask(database, lambda connection: require_application(connection, application))
    plan_all_outgoing(nothing_of(application), read_settings({"database_url": database}).database)

    def transaction(connection: Connection) -> RetiredApplication:
        dead = proven_dead(neighbours(connection))
        return retire_application(connection, application, requested_by=who, why=why, dead=dead)

    act(database, transaction, "retire", _retired, as_json=as_json)


def _retired(done: RetiredApplication) -> str:
    if done.already:
        return f"{done.application} is already retired: nothing is left to retire"
    runs = counted(done.cancelled, "waiting run")
    return f"{done.application} is retired: {listed(done.schedules) or 'no schedule'}; {runs} cancelled"
