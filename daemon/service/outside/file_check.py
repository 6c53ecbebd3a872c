"""The loading of FILE with all that is wrong in it, and its check in a fresh interpreter, which reads its modules anew
(rule 22).
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from lease.database.address import describe, parse_address

from ...definitions.application import Application
from ...definitions.sources.load import load
from ...definitions.sources.toml_file import settings_in
from ...errors import DefinitionError, Mistakes
from ...web.address import WebAddress
from ..environment import SettingsError
from ..settings import Settings, flag_of, read_settings, read_url


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`leased run` as it was called: its FILE, flags, folder and environment. ``--now`` and ``--take-over`` are not in
    it, because they are meant for one start, and it answers beforehand what would be asked at a terminal.
    """

    file: str
    flags: Mapping[str, str]
    """The settings that were given, by name."""
    until_idle: bool
    folder: str
    environment: Mapping[str, str]

    @classmethod
    def called(cls, file: str, flags: Mapping[str, str | None], *, until_idle: bool = False) -> Self:
        """Return the command line of this process; call it before the environment is changed."""
        given = {name: value for name, value in flags.items() if value is not None}
        return cls(file, given, until_idle, str(Path.cwd()), dict(os.environ))

    def arguments(self) -> list[str]:
        given = [f"{flag_of(name)}={value}" for name, value in self.flags.items()]
        idle = ["--until-idle"] if self.until_idle else []
        return [sys.executable, "-P", "-m", "leased", "run", "--yes", *given, *idle, "--", self.file]

    def start_anew(self, more: Mapping[str, str]) -> None:
        """Replace this process by a new start, with ``more`` in its environment; raises `OSError` if that fails."""
        os.chdir(self.folder)
        command = self.arguments()
        os.execve(command[0], command, {**self.environment, **more})  # noqa: S606 - this very program


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return what was set, secrets included, as values that JSON has, and that `Settings` takes."""
    values = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    secrets = {name: value.get_secret_value() for name, value in values.items() if isinstance(value, SecretStr)}
    addresses = {name: str(value) for name, value in values.items() if isinstance(value, WebAddress)}
    return values | secrets | addresses


def handed_over(given: Mapping[str, Any], supervisor: int) -> Settings:
    """Return the settings that the process ``supervisor`` has checked, with the database's password as its file has it
    now; raises `SettingsError` if that file leads anywhere else.
    """
    settings = Settings.model_validate(given)
    if settings.database_url_file is None:
        return settings
    path = settings.database_url_file
    url, checked = read_url(path, "database_url_file"), settings.database_url.get_secret_value()
    before, now = (parse_address(text).set(password="") for text in (checked, url))
    if now != before:
        raise SettingsError(
            f'the URL that "{path}" holds has changed in more than its password since the supervisor checked it (it was '
            f"{describe(before)}, and is {describe(now)}); send SIGHUP to the supervisor (process {supervisor}) to replace "
            "all replicas"
        )
    return settings.model_copy(update={"database_url": SecretStr(url)})


def load_with_settings(file: str, flags: Mapping[str, Any]) -> Application:
    """Return what FILE defines; raises `DefinitionError` with all its mistakes, those of `[settings]` too."""
    try:
        return load(file, every_mistake=True)
    except DefinitionError as error:
        mistakes = Mistakes()
        if file.endswith(".toml"):
            with mistakes:
                read_settings(flags, settings_in(Path(file)), source=file)
        error.more += tuple(mistakes.found)
        raise


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
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return _read(answer, command_line.file, process.returncode)


def _read(answer: bytes, file: str, status: int | None) -> CheckedFile | WrongFile:
    with contextlib.suppress(ValueError):
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
    return WrongFile(f"loading {file} ended the process that checked it (status {status})")
