"""The meaning of the name of a schedule: whose it is, and which of its runs."""

from sqlalchemy import Connection

from ..errors import Ambiguous
from ..store.views.names import applications_with, require_application, require_schedule


def application_of(connection: Connection, schedule: str, application: str | None) -> str:
    """Return ``application``, or the only one that has the schedule.

    Raises `NotFound` if there is none, and `Ambiguous` if there are several.
    """
    require_application(connection, application)
    if application is not None:
        return application
    require_schedule(connection, schedule, None, retired=False)
    found = applications_with(connection, schedule) or applications_with(connection, schedule, retired=True)
    if len(found) > 1:
        raise Ambiguous(f'several applications have a schedule "{schedule}": add --application {" or ".join(found)}')
    return found[0]
