"""The dialog of an application: retire it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from ....errors import CannotAct
from ....operations.retire import require_dead
from ....recovery.deaths import neighbours, proven_dead
from ....store.views.defined import read_remaining
from ....store.views.names import require_application
from ..links import NameInPath
from ..page import Page, Visit
from .dialog import ACTS_BY_PATH, Dialog, DialogAsked


class RetireAsked(DialogAsked):
    """The application that is gone for good."""

    application: NameInPath


def _read(connection: Connection, asked: RetireAsked, _visit: Visit) -> Mapping[str, object]:
    require_application(connection, asked.application)
    left, impossible = read_remaining(connection, asked.application), ""
    try:
        require_dead(connection, asked.application, proven_dead(neighbours(connection)))
    except CannotAct as error:
        impossible = str(error)
    runs = left.waiting + left.running
    if not left.schedules and not runs:
        impossible = "It is retired already: nothing is left of it."
    return {
        "application": asked.application,
        "left": left,
        "runs": runs,
        "impossible": impossible,
        "back": _to_fleet(asked),
    }


def _given(_connection: Connection, asked: RetireAsked) -> Mapping[str, Any]:
    return {"application": asked.application}


def _to_fleet(of: Any) -> str:
    return f"fleet?{urlencode({'application': of.application})}"


RETIRE = Dialog(
    Page("/fleet/{application}/retire", "dialog_retire", RetireAsked, _read, tab="fleet"),
    ACTS_BY_PATH["/retire"],
    _given,
    _to_fleet,
)
