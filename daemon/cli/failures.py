"""The failures of a command: one sentence on stderr and an exit status for each."""

import re
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer

from lease.errors import LeaseError, SchemaMissing, StoreUnavailable

from .. import errors
from ..errors import DaemonError, NotFound, NotYet, escaped
from ..service.environment import SettingsError
from ..text import json_text, wrapped

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


_NEGATIVE = re.compile(r"No such option: (-\d+)")
_WORDS = (
    (re.compile(r"Input should be a valid integer.*"), "it is not an integer"),
    (re.compile(r"Input should be greater than or equal to (\d+)"), r"write \1 or more"),
    (re.compile(r"Input should be less than or equal to (\d+)"), r"write \1 or less"),
    (
        re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)"),
        r"unexpected argument '\1' (quote values that contain spaces)",
    ),
)
"""The framework's sentences, each with ours."""
_WITH_A_REMEDY = ("Did you mean", "Possible options", "write ")


class Misused(DaemonError):
    """The command line contradicts itself or asks for what does not exist."""


class NoDatabase(DaemonError):
    """There is no database at the given address."""


_KINDS: tuple[tuple[tuple[type[Exception], ...], str, int], ...] = (
    ((NotYet,), "not yet", USAGE),
    ((errors.DefinitionError, errors.RevisionTaken, errors.RetiresAll, errors.WouldSupersede), "definition", USAGE),
    ((SettingsError,), "settings", USAGE),
    ((errors.Ambiguous, errors.NotRecordable, errors.InvalidCron, errors.InvalidInstant), "usage", USAGE),
    ((Misused, typer.TyperException), "usage", USAGE),
    ((NotFound,), "not found", FAILED),
    ((NoDatabase, errors.SchemaNotReady, SchemaMissing, StoreUnavailable), "database", FAILED),
)

EXPECTED = (DaemonError, LeaseError, typer.TyperException)
"""The errors that are reported without a traceback: mistakes of the user, and faults of the database."""


def report_expected(error: Exception, *, as_json: bool) -> int:
    """Report an error that is `EXPECTED`, with the other mistakes if there are several; return its exit status."""
    message = str(error)
    if isinstance(error, typer.TyperException):
        message = error.format_message()
        for theirs, ours in _WORDS:
            message = theirs.sub(ours, message)
        command = getattr(getattr(error, "ctx", None), "command_path", None)
        has_remedy = _NEGATIVE.fullmatch(message) or any(known in message for known in _WITH_A_REMEDY)
        if command is not None and not has_remedy:
            message = f"{message.rstrip('.')}; see `{command} --help`"
    if number := _NEGATIVE.fullmatch(message):
        message = f'"{number[1]}" starts like an option, and numbers here are 0 or more'
    found = ((kind, status) for types, kind, status in _KINDS if isinstance(error, types))
    kind, status = next(found, ("failed", FAILED))
    said, *more = [" ".join(str(one).split()) for one in (message, *getattr(error, "more", ()))]
    report(said, kind, as_json=as_json, more=more)
    return status


def report(message: str, kind: str, *, as_json: bool, what: str = "error", more: Sequence[str] = ()) -> None:
    """Write an error or a warning to stderr: a sentence, and one for each of ``more``, or an object with ``--json``."""
    if as_json:
        document = {what: {"message": message, "kind": kind, **({"more": more} if more else {})}}
        sys.stderr.write(json_text(document) + "\n")
    else:
        write_to_stderr([f"leased: {escaped(one)}" for one in (message, *more)])


def write_to_stderr(sentences: Sequence[str]) -> None:
    """Write sentences to stderr: each on a line, and at a terminal on as many as it takes."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    lines = sentences if width is None else [line for sentence in sentences for line in wrapped(sentence, width)]
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.stderr.flush()


def report_defect(error: Exception) -> None:
    """Write to stderr what a bug report needs: the traceback, starting in our own code."""
    sys.stderr.write("leased: this is a bug in leased; please report it with the traceback below\n")
    framework, trace, ours = str(Path(typer.__file__).parent), error.__traceback__, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(framework):
            ours = trace.tb_next  # what follows the last frame of the framework that called the command
        trace = trace.tb_next
    traceback.print_exception(type(error), error, ours)
