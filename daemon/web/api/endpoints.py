"""The table of the API's endpoints, from which routes and the OpenAPI document are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection

from lease.database.database import Unit
from lease.errors import LeaseError

from ...errors import Ambiguous, DaemonError, InvalidInstant, NotFound, NotRecordable
from .asked import Parameters, Unfit
from .desk import Busy, Desk

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One question or act."""

    method: Literal["GET", "POST"]
    path: str
    """Below `/api/v1`."""
    summary: str
    asks: type[Parameters]
    answers: tuple[str, int, type]
    """The command that answers the same with `--json`, the version of its answer, and the answer's class."""
    does: Callable[[Connection, Any], object]
    """Returns the answer; an act is one transaction."""
    cursor: Callable[[Any], Mapping[str, object]] | None = None
    """Returns the parameters with which the page begins that follows an item of a list."""
    is_apart: bool = False
    """It takes no connection of the API, and waits in a thread of its own."""
    prepares: Callable[[Connection, Any], bool] | None = None
    """What is done before an act, in transactions of its own, until it returns False: it plans what is due."""

    @property
    def schema(self) -> str:
        """The name of its answer: ``leased/status/2``."""
        command, version, _ = self.answers
        return f"leased/{command}/{version}"


async def carry_out(desk: Desk, act: Endpoint, asked: Any, unit: Unit[T]) -> T:
    """Run ``unit``, which does an act, in a transaction, after what is done before it in transactions of their own."""
    while act.prepares is not None and await desk.write(partial(_prepared, act, asked)):
        pass
    return await desk.write(unit)


def sentence_of(error: DaemonError | LeaseError) -> str:
    """Return why a request failed, on one line."""
    return " ".join(str(error).split())


def status_of(error: DaemonError | LeaseError) -> HTTPStatus:
    """Return the status of the answer to a request that failed like this."""
    match error:
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case Unfit() | Ambiguous() | InvalidInstant() | NotRecordable():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case Busy() | LeaseError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.CONFLICT


def _prepared(act: Endpoint, asked: Any, connection: Connection) -> bool:
    return act.prepares is not None and act.prepares(connection, asked)
