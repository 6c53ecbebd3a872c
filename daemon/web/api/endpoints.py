"""The table of the API's endpoints, from which routes and the OpenAPI document are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from .asked import Parameters


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
