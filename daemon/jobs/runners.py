"""The two ways to run an attempt: a task in the replica, or a child process under its keeper."""

import asyncio
import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from lease.client import Lease
from lease.durations import format_duration

from ..definitions.job import Job
from ..states import JobOutcome
from ..telemetry.facts import JobSubject
from ..text import signal_name
from .brief import BRIEF_VARIABLE, Brief
from .outcome import Outcome
from .output.output import Output
from .output.transcript import Transcript
from .params import hand_over
from .processes.child import FUNCTION_CHILD, Child, ChildEnd
from .processes.identity import ProcessIdentity
from .processes.trust_page import TrustPage
from .reports import Progress
from .run import LOGGER, AsyncRun
from .task_thread import StartedTask, TaskThread

_FRAMES = 12
"""How many frames of a traceback are kept, the last ones."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """What hears of an attempt: the callbacks, in the replica's event loop, and its transcript."""

    output: Callable[[str], None]
    progress: Callable[[Progress], None]
    transcript: Transcript


class Attempt(Protocol):
    """An attempt that is prepared, recorded, started, and then waited for."""

    @property
    def keeper(self) -> ProcessIdentity | None:
        """The keeper, to be recorded before `go` (rule 18); None for a task."""
        ...

    async def go(self) -> None:
        """Start the work; raises `ChildNotStarted` if it cannot be started."""
        ...

    async def wait(self) -> Outcome:
        """Wait until nothing of it is left, and return how it ended."""
        ...

    def stop(self, kill_after: float) -> None:
        """Ask it to end; kill a child's tree after ``kill_after`` seconds."""
        ...

    def kill(self) -> None:
        """End it at once; cancel a task, which cannot be forced to end."""
        ...

    def lost_to_others(self) -> float:
        """Return the seconds that other jobs have cost it, which count against none of its limits (rule 25)."""
        ...

    def blocks(self) -> bool:
        """Return whether it blocks the event loop of async jobs now."""
        ...


class ChildAttempt:
    """An attempt in a child process: a command, or a function in a process of its own."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @classmethod
    async def prepare(
        cls, job: Job, brief: Brief, *, trust: TrustPage, folder: str, listeners: Listeners
    ) -> "ChildAttempt":
        """Start the keeper; the child itself waits for `go`. Raises `ChildNotStarted`, `Shortage` or `OSError`."""
        environment = {**os.environ, **job.env, **brief.environment()}
        params_file = hand_over(brief.params, environment)
        if job.function is not None:
            environment[BRIEF_VARIABLE] = brief.to_json()
        child = await Child.spawn(
            _command(job),
            cwd=folder,
            env=environment,
            trust=trust,
            report=True,
            remove=params_file,
            on_output=listeners.output,
            on_progress=listeners.progress,
            transcript=listeners.transcript,
        )
        return cls(child)

    @property
    def keeper(self) -> ProcessIdentity | None:
        return self._child.keeper

    async def go(self) -> None:
        await self._child.go()

    async def wait(self) -> Outcome:
        return child_outcome(await self._child.wait())

    def stop(self, kill_after: float) -> None:
        self._stopping = asyncio.ensure_future(self._child.stop(kill_after))

    def kill(self) -> None:
        self._child.kill()

    def lost_to_others(self) -> float:
        return 0.0

    def blocks(self) -> bool:
        return False


def _command(job: Job) -> tuple[str, ...]:
    if job.function is not None:
        return FUNCTION_CHILD
    if isinstance(job.command, str):
        return ("/bin/sh", "-c", job.command)
    return job.command or ()


def child_outcome(ended: ChildEnd) -> Outcome:
    """Return the outcome of a child: success if it exited by itself with status 0 and no error."""
    state: JobOutcome = "failed"
    error = ended.error
    match ended.why:
        case "trust":
            state, error = "lost", "killed when its lease could no longer be trusted"
        case "stopped" | "killed" | "pipe":
            state = "stopped"
        case "abandoned":
            error = error or "its keeper died, and the processes left behind were killed"
        case "exited" if ended.file_changed is not None:
            state, error = "not run", ended.file_changed
        case "exited" if ended.status == 0 and error is None:
            state = "succeeded"
        case "exited" | "refused":
            error = error or _how_it_ended(ended)
        case _:
            assert_never(ended.why)
    return Outcome(state, error, status=ended.status, signal=ended.signal, peak_memory=ended.peak_memory)


def _how_it_ended(ended: ChildEnd) -> str:
    """Return how a child ended that failed without saying why."""
    how = f"killed by {signal_name(ended.signal)}" if ended.signal else f"exited with status {ended.status}"
    return f"{how}, probably out of memory" if ended.out_of_memory else how


class TaskAttempt:
    """An async function in the replica's thread for tasks; it can be cancelled, but not killed."""

    keeper: ProcessIdentity | None = None

    def __init__(
        self, job: Job, brief: Brief, subject: JobSubject, *, held: Lease, thread: TaskThread, listeners: Listeners
    ) -> None:
        self._job = job
        self._subject = subject
        self._thread = thread
        self._output = Output(listeners.output, listeners.transcript)
        self._loop = asyncio.get_running_loop()
        self._logger = _own_logger(self._note)
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
        self._task = self._thread.start(self._job.function, self._run, self._subject)

    async def wait(self) -> Outcome:
        assert self._task is not None  # noqa: S101 - go comes first
        ended = asyncio.wrap_future(self._task.ended)
        await asyncio.wait({ended})
        error = ended.result()
        if error is None:
            return Outcome("succeeded")
        state: JobOutcome = "stopped" if self._cancelled else "failed"
        if isinstance(error, asyncio.CancelledError):
            return Outcome(state, "the job was cancelled")
        return Outcome(state, "".join(traceback.format_exception(error, limit=-_FRAMES)))

    def stop(self, kill_after: float) -> None:
        del kill_after  # there is nothing to force at its end
        self.kill()

    def kill(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def lost_to_others(self) -> float:
        return self._task.lost_to_others() if self._task is not None else 0.0

    def blocks(self) -> bool:
        return self._task is not None and self._task.blocks()

    def _note(self, line: str) -> None:
        self._here(self._output.feed, f"{line}\n".encode(errors="replace"))

    def _here(self, call: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:  # the replica's loop has ended
            return


class _OutputHandler(logging.Handler):
    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(self.format(record))


def _own_logger(note: Callable[[str], None]) -> logging.Logger:
    """Return a logger whose lines go into the attempt's output only."""
    logger = logging.Logger(LOGGER, logging.INFO)  # noqa: LOG001 - its own, so that no other handler gets the job's lines
    logger.addHandler(_OutputHandler(note))
    return logger


def timed_out(outcome: Outcome, timeout: float) -> Outcome:
    """Return the outcome of an attempt that was ended at its timeout: failed, unless done."""
    if outcome.state == "succeeded":
        return outcome
    return replace(outcome, state="failed", error=f"the job exceeded its timeout of {format_duration(timeout)}")
