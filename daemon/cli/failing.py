"""A mistake as one sentence on stderr, and the exit status that goes with it."""

import json
import sys
from dataclasses import dataclass

import typer

from lease.errors import LeaseError, SchemaMissing, StoreUnavailable

from ..environment import SettingsError
from ..errors import DaemonError, DefinitionError, InvalidCron, InvalidInstant, NotYet
from ..migrations import SchemaNotReady
from ..reading import NotFound
from ..scheduling import NoSuchSchedule

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class Misused(DaemonError):
    """The command line does not make sense."""


_KINDS: tuple[tuple[type[Exception], str, int], ...] = (
    (NotYet, "not yet", USAGE),
    (DefinitionError, "definition", USAGE),
    (SettingsError, "settings", USAGE),
    (Misused, "usage", USAGE),
    (InvalidCron, "usage", USAGE),
    (InvalidInstant, "usage", USAGE),
    (NotFound, "not found", FAILED),
    (NoSuchSchedule, "not found", FAILED),
    (SchemaNotReady, "database", FAILED),
    (SchemaMissing, "database", FAILED),
    (StoreUnavailable, "database", FAILED),
    (typer.TyperException, "usage", USAGE),
)

Mistake = (DaemonError, LeaseError, typer.TyperException)
"""What is a user's mistake, or the world's, and no bug of ours: told without a traceback."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told of an error."""

    message: str
    kind: str
    status: int


def failure(error: Exception) -> Failure:
    """Return what is told of one of `Mistake`."""
    message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    for type_, kind, status in _KINDS:
        if isinstance(error, type_):
            return Failure(" ".join(message.split()), kind, status)
    return Failure(" ".join(message.split()), "failed", FAILED)


def tell(message: str, kind: str, *, as_json: bool, what: str = "error") -> None:
    """Write to stderr: a sentence, or with ``--json`` an object."""
    line = (
        json.dumps({what: {"message": message, "kind": kind}}, ensure_ascii=False) if as_json else f"leased: {message}"
    )
    sys.stderr.write(f"{line}\n")
