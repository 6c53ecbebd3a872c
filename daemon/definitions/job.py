"""A job: one step of a schedule, which is a function or a command."""

from typing import Annotated, Any, Self

from pydantic import Field, Strict, model_validator

from .definition import Definition, Mark
from .values.durations import duration
from .values.names import name_of
from .values.refusal import Refusal
from .values.strings import Folder
from .values.work import ChosenIsolation, Command, Environment, Function, default_isolation, function_name

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
    """`task`: inside the replica; `process`: in a child process; `thread`: inside the replica, for
    a function that is not async: it can't be killed. By default async functions are tasks, and
    everything else runs in a process."""
    timeout: Annotated[float | None, duration(least=0.001), Mark.DEFAULT] = None
    """When this time has passed, the job is stopped and has failed. `leased check` names the jobs
    without a timeout."""
    retries: Annotated[int, Strict(), Field(ge=0, le=1_000_000), Mark.DEFAULT] = 0
    """How many more attempts a failed job gets; abandoned, stopped or lost attempts do not count."""
    backoff: Annotated[float, duration(), Mark.DEFAULT] = 10.0
    """The wait before the first retry. It doubles with each further retry, up to an hour (or up to
    the first wait, if that is longer), plus up to a fifth at random. The run holds no lease while
    it waits."""
    cwd: Annotated[Folder, Mark.DEFAULT] = None
    """The folder of the child process, by default the folder of FILE."""
    env: Annotated[Environment, Mark.DEFAULT] = {}  # noqa: RUF012 - pydantic copies it
    """Variables for the child process, in addition to the replica's own."""

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
