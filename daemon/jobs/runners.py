"""One attempt of a job at work: an async function in the replica, or a child process under its keeper."""

import asyncio
import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lease.client import Lease
from lease.durations import format_duration

from ..definitions.model import Job
from ..states import JobOutcome
from .brief import BRIEF_VARIABLE, Brief
from .outcome import Outcome
from .output import Output
from .processes.child import FUNCTION_CHILD, Child, ChildEnd
from .processes.identity import ProcessIdentity
from .processes.trust_page import TrustPage
from .reports import Progress
from .run import LOGGER, AsyncRun
from .task_thread import StartedTask, TaskThread

_FRAMES = 12
"""How many of the last frames of a traceback are kept."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of an attempt, in the replica's event loop."""

    output: Callable[[str], None]
    progress: Callable[[Progress], None]


class Attempt(Protocol):
    """Prepared, recorded, started, and then waited for."""

    @property
    def keeper(self) -> ProcessIdentity | None:
        """The keeper, to be recorded before `go` (rule 18); None for what runs in the replica itself."""
        ...

    async def go(self) -> None:
        """Start the work. Raises `ChildNotStarted`, a sentence, when it cannot be."""
        ...

    async def wait(self) -> Outcome:
        """Return how it ended, when nothing of it is left."""
        ...

    def stop(self, grace: float) -> None:
        """Ask it to end; a child's tree is killed after ``grace`` seconds."""
        ...

    def kill(self) -> None:
        """End it at once, or cancel it where that cannot be forced."""
        ...


class ChildAttempt:
    """A command, or a function in a process of its own."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @classmethod
    async def prepare(
        cls, job: Job, brief: Brief, *, trust: TrustPage, folder: str, listeners: Listeners
    ) -> "ChildAttempt":
        """Start the keeper; the child itself waits for `go`. Raises `ChildNotStarted`."""
        environment = {**os.environ, **job.env, **brief.environment()}
        if job.function is not None:
            environment[BRIEF_VARIABLE] = brief.to_json()
        child = await Child.spawn(
            _command(job),
            cwd=folder,
            env=environment,
            trust=trust,
            report=True,
            on_output=listeners.output,
            on_progress=listeners.progress,
        )
        return cls(child)

    @property
    def keeper(self) -> ProcessIdentity | None:
        return self._child.keeper

    async def go(self) -> None:
        await self._child.go()

    async def wait(self) -> Outcome:
        return child_outcome(await self._child.wait())

    def stop(self, grace: float) -> None:
        self._stopping = asyncio.ensure_future(self._child.stop(grace))

    def kill(self) -> None:
        self._child.kill()


def _command(job: Job) -> tuple[str, ...]:
    if job.function is not None:
        return FUNCTION_CHILD
    if isinstance(job.command, str):
        return ("/bin/sh", "-c", job.command)
    return job.command or ()


def child_outcome(ended: ChildEnd) -> Outcome:
    """Read a child's end: status 0 by itself is success, whatever else is a failure, or the end of its lease."""
    state: JobOutcome = "failed"
    error = ended.error
    if ended.why == "trust":
        state, error = "lost", "killed at the end of trust"
    elif ended.why in ("stopped", "killed", "pipe"):
        state = "stopped"
    elif ended.why == "abandoned":
        error = error or "its keeper died, and what was left of it was killed"
    elif ended.why == "exited" and ended.status == 0 and error is None:
        state = "succeeded"
    elif error is None:
        error = f"ended by signal {ended.signal}" if ended.signal else f"ended with status {ended.status}"
    return Outcome(state, error, ended.tail, ended.status, ended.signal)


class TaskAttempt:
    """An async function in the replica's thread for tasks. It can be cancelled, not killed."""

    keeper: ProcessIdentity | None = None

    def __init__(self, job: Job, brief: Brief, *, held: Lease, thread: TaskThread, listeners: Listeners) -> None:
        self._job = job
        self._thread = thread
        self._output = Output(listeners.output)
        self._loop = asyncio.get_running_loop()
        self._logger = _tail_logger(self._note)
        self._task: StartedTask | None = None
        self._cancelled = False
        self._run = AsyncRun(
            brief,
            lambda: held.trusted_until if held.loss is None else 0.0,
            lambda progress: self._here(listeners.progress, progress),
            self._logger,
        )

    async def go(self) -> None:
        assert self._job.function is not None  # noqa: S101 - tasks are functions
        self._task = self._thread.start(self._job.function, self._run)

    async def wait(self) -> Outcome:
        assert self._task is not None  # noqa: S101 - go comes first
        ended = asyncio.wrap_future(self._task.ended)
        await asyncio.wait({ended})
        error = ended.result()
        if error is None:
            return Outcome("succeeded", None, self._output.tail)
        state: JobOutcome = "stopped" if self._cancelled else "failed"
        if isinstance(error, asyncio.CancelledError):
            return Outcome(state, "it was cancelled", self._output.tail)
        return Outcome(state, "".join(traceback.format_exception(error, limit=-_FRAMES)), self._output.tail)

    def stop(self, grace: float) -> None:
        del grace  # there is nothing to force at its end
        self.kill()

    def kill(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def _note(self, line: str) -> None:
        self._here(self._output.feed, f"{line}\n".encode(errors="replace"))

    def _here(self, call: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:  # the replica's loop has ended
            return


class _TailHandler(logging.Handler):
    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(self.format(record))


def _tail_logger(note: Callable[[str], None]) -> logging.Logger:
    """Return a logger whose lines go into the attempt's tail only."""
    logger = logging.Logger(LOGGER, logging.INFO)  # noqa: LOG001 - its own, so that no other handler gets the job's lines
    logger.addHandler(_TailHandler(note))
    return logger


def timed_out(outcome: Outcome, timeout: float) -> Outcome:
    """Return the failure of an attempt that was ended because its time was up."""
    if outcome.state == "succeeded":
        return outcome
    error = f"it took longer than its timeout of {format_duration(timeout)}"
    return Outcome("failed", error, outcome.tail, outcome.status, outcome.signal)
