"""The check of FILE in a fresh interpreter, which reads its modules anew (rule 22)."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ...definitions.application import Application
from ..settings import Settings
from .checked_settings import as_plain
from .command_line import CommandLine

CHECK = (sys.executable, "-P", "-m", "daemon.service.outside.check_main")
LONGEST = 60.0
"""Seconds after which a check is given up: FILE waits for something as it is loaded."""


@dataclass(frozen=True, eq=False, slots=True)
class CheckedFile:
    """One check of FILE, which found nothing wrong; another check is never equal to it, whatever it found."""

    digest: str
    """Of its definitions."""
    application: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those with which it was checked, as `as_plain` has them."""
    warnings: tuple[str, ...] = ()
    """What it means that they lead elsewhere than before."""

    @classmethod
    def of(cls, application: Application, settings: Settings) -> Self:
        """Return what this process itself has found."""
        return cls(application.checked_digest, application.name, as_plain(settings))


@dataclass(frozen=True, slots=True)
class WrongFile:
    """What is wrong with FILE or its settings, or keeps a replica from starting with them, as one sentence."""

    problem: str
    more: tuple[str, ...] = ()
    """The other mistakes, if there are several."""


async def check_file(
    command_line: CommandLine, before: CheckedFile | None = None, longest: float = LONGEST
) -> CheckedFile | WrongFile:
    """Load FILE and its settings in a fresh interpreter, as a replica that starts now would, and ask the database whether
    that could start; and what it means if they lead elsewhere than those ``before``.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *CHECK,
            stdin=PIPE,
            stdout=PIPE,
            cwd=command_line.folder,
            env=dict(command_line.environment),
            process_group=0,
        )
    except OSError as error:
        return WrongFile(f"{command_line.file} cannot be checked: {error.strerror}")
    runs = None if before is None else {"application": before.application, "settings": before.settings}
    order = json.dumps({"file": command_line.file, "flags": dict(command_line.flags), "before": runs}).encode()
    try:
        async with asyncio.timeout(longest):
            answer, _ = await process.communicate(order)
    except TimeoutError:
        return WrongFile(f"{command_line.file} could not be loaded within {longest:g}s")
    finally:
        await _end(process)
    return _read(answer, command_line.file, process.returncode)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _read(answer: bytes, file: str, status: int | None) -> CheckedFile | WrongFile:
    try:
        match json.loads(answer):
            case {
                "digest": str() as digest,
                "application": str() as name,
                "settings": dict() as settings,
                "warnings": list() as warnings,
            }:
                return CheckedFile(digest, name, settings, tuple(warnings))
            case {"problem": str() as problem, "more": list() as more}:
                return WrongFile(problem, tuple(more))
            case _:
                pass
    except ValueError:
        pass
    return WrongFile(f"loading {file} ended the process that checked it (status {status})")
