"""Failures of a command: one sentence on stderr, and the exit status that goes with it."""

import json
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import typer

from lease.errors import LeaseError, SchemaMissing, StoreUnavailable

from ..errors import (
    DaemonError,
    DefinitionError,
    InvalidCron,
    InvalidInstant,
    NotFound,
    NotYet,
    SchemaNotReady,
    escaped,
)
from ..service.environment import SettingsError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class Misused(DaemonError):
    """The command line does not make sense."""


class NoDatabase(DaemonError):
    """There is no database where one was looked for."""


_KINDS: tuple[tuple[type[Exception], str, int], ...] = (
    (NotYet, "not yet", USAGE),
    (DefinitionError, "definition", USAGE),
    (SettingsError, "settings", USAGE),
    (Misused, "usage", USAGE),
    (InvalidCron, "usage", USAGE),
    (InvalidInstant, "usage", USAGE),
    (NotFound, "not found", FAILED),
    (NoDatabase, "database", FAILED),
    (SchemaNotReady, "database", FAILED),
    (SchemaMissing, "database", FAILED),
    (StoreUnavailable, "database", FAILED),
    (typer.TyperException, "usage", USAGE),
)

Mistake = (DaemonError, LeaseError, typer.TyperException)
"""A mistake of the user's, or a fault of the world's, but no bug of ours: reported without a traceback."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What is reported of an error."""

    message: str
    kind: str
    status: int


def failure(error: Exception) -> ErrorReport:
    """Return what is reported of one of `Mistake`."""
    message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    for type_, kind, status in _KINDS:
        if isinstance(error, type_):
            return ErrorReport(" ".join(message.split()), kind, status)
    return ErrorReport(" ".join(message.split()), "failed", FAILED)


def report(message: str, kind: str, *, as_json: bool, what: str = "error") -> None:
    """Write to stderr: a sentence, or with ``--json`` an object."""
    document = {what: {"message": message, "kind": kind}}
    line = json.dumps(document, ensure_ascii=False) if as_json else f"leased: {escaped(message)}"
    sys.stderr.write(f"{line}\n")


def report_defect(error: Exception) -> None:
    """Write to stderr what a bug report needs: the traceback, from our own code on."""
    sys.stderr.write("leased: this is a defect of leased itself; please report it with what follows\n")
    traceback.print_exception(type(error), error, _ours(error.__traceback__))


def _ours(trace: TracebackType | None) -> TracebackType | None:
    """Return ``trace`` from the command on, without the frames of the framework that called it."""
    framework = str(Path(typer.__file__).parent)
    called = [frame for frame, _ in traceback.walk_tb(trace)]
    last = max((at for at, frame in enumerate(called) if frame.f_code.co_filename.startswith(framework)), default=-1)
    for _ in range(last + 1):
        trace = trace.tb_next if trace is not None else None
    return trace
