"""A job: one step of a schedule, which is a function or a command."""

from typing import Annotated, Any, Self

from pydantic import Field, Strict, model_validator

from .definition import Definition, Mark
from .values.durations import duration
from .values.functions import Function, function_name
from .values.names import name_of
from .values.refusal import Refusal
from .values.strings import Folder
from .values.work import ChosenIsolation, Command, Environment, default_isolation

LONGEST_WAIT = 3600.0
"""Seconds. Up to here the wait before a retry doubles, or up to the first one, if that is longer."""


class Job(Definition):
    """One step of a schedule: a function or a command. Durations are in seconds."""

    kind = "job"
    always_stored = frozenset(["isolation", "timeout", "retries", "backoff", "cwd", "env"])

    name: Annotated[str, name_of("job"), Mark.PART]
    function: Annotated[Function | None, Mark.PART] = None
    command: Annotated[Command | None, Mark.PART] = None

    isolation: ChosenIsolation = Field(default_factory=default_isolation)
    """`task`: inside the replica; `process`: in a child; `thread`: inside the replica, for a
    function that is not async, on request only: it can't be killed. By default async functions are
    tasks, and all else runs in a process."""
    timeout: Annotated[float | None, duration(least=0.001), Mark.DEFAULT] = None
    """After it the job is stopped, and has failed. `leased check` names the jobs without one."""
    retries: Annotated[int, Strict(), Field(ge=0, le=1_000_000), Mark.DEFAULT] = 0
    """How many further attempts a failed job gets; one that was abandoned, stopped or lost does
    not count."""
    backoff: Annotated[float, duration(), Mark.DEFAULT] = 10.0
    """The wait before the first retry. It doubles with each further retry, up to an hour (or up to the first wait, if
    that is longer), with up to a fifth more by chance. It holds no lease."""
    cwd: Annotated[Folder, Mark.DEFAULT] = None
    """The folder of a child, by default that of FILE."""
    env: Annotated[Environment, Mark.DEFAULT] = {}  # noqa: RUF012 - pydantic copies it
    """Variables for a child, besides the replica's own."""

    @model_validator(mode="after")
    def _settings_fit_the_work(self) -> Self:
        if (self.function is None) == (self.command is None):
            raise Refusal("it must have either a function or a command", "give one of them")
        if self.isolation in {"task", "thread"} and (self.env or self.cwd):
            raise Refusal(
                f"a {self.isolation} runs inside the replica and has no folder or environment of its own",
                'set isolation = "process", or leave this out',
                field="env" if self.env else "cwd",
            )
        return self

    @property
    def longest_wait(self) -> float:
        """The longest wait before a retry."""
        return max(LONGEST_WAIT, self.backoff)

    def executed(self) -> dict[str, Any]:
        """Return what execution reads of it, without the folder, which may differ from host to host."""
        return {name: value for name, value in self.canonical().items() if name != "cwd"}

    def canonical(self) -> dict[str, Any]:
        """Return what is stored of it: functions by name, and of `env` the names only, for
        values may be secret.
        """
        return {
            "name": self.name,
            "isolation": self.isolation,
            "function": function_name(self.function) if self.function else None,
            "command": list(self.command) if isinstance(self.command, tuple) else self.command,
            **self.stored(),
        }
