"""The command line of `leased run`, from which a replica is started, once more or anew."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..settings import flag_of


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`leased run` as it was called: its FILE, flags, folder and environment.

    ``--now`` and ``--take-over`` are not in it, because they are meant for one start, and it answers
    beforehand what would be asked at a terminal.
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
        """Return the command that runs one replica."""
        given = [f"{flag_of(name)}={value}" for name, value in self.flags.items()]
        idle = ["--until-idle"] if self.until_idle else []
        return [sys.executable, "-P", "-m", "leased", "run", "--yes", *given, *idle, "--", self.file]

    def start_anew(self, more: Mapping[str, str]) -> None:
        """Replace this process by a new start of the command; raises `OSError` if that is impossible.

        ``more`` is added to the environment.
        """
        os.chdir(self.folder)
        command = self.arguments()
        os.execve(command[0], command, {**self.environment, **more})  # noqa: S606 - this very program
