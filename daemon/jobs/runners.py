"""An attempt as those who watch it see it, and its kinds: in a child process under its keeper; and inside the replica,
where it can be told to end, but not killed: a task, or a thread.
"""

import asyncio
import logging
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, assert_never

from lease.client import Lease
from lease.clock import boottime

from ..definitions.schedule import Job
from ..own_thread import soon
from ..states import JobOutcome
from ..telemetry.facts import JobSubject
from ..text import signal_name
from .brief import BRIEF_VARIABLE, FUNCTION_CHILD, Brief, hand_over
from .output import Output, printed_to
from .processes.child import Child, ChildEnd
from .processes.identity import ProcessIdentity
from .processes.trust_page import TrustPage
from .reports import Outcome, Progress
from .run import LOGGER, AsyncRun, Run
from .stacks import SeenWork, bounded, of_thread, seen_of_child
from .task_thread import StartedTask, TaskThread
from .templates.templates import Templates


class Attempt(ABC):
    """An attempt that is prepared, recorded, started, and then waited for."""

    keeper: ProcessIdentity | None = None
    """The keeper, to be recorded before `go` (rule 18); None inside the replica."""

    @abstractmethod
    async def go(self) -> None:
        """Start the work; raises `ChildNotStarted` if it cannot be started."""

    @abstractmethod
    async def wait(self) -> Outcome:
        """Wait until nothing of it is left, and return how it ended."""

    @abstractmethod
    def stop(self, kill_after: float) -> None:
        """Ask it to end; kill a child's tree after ``kill_after`` seconds. Inside the replica there is nothing to force."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once; cancel a task, which cannot be forced to end."""

    def lost_to_others(self) -> float:
        """Return the seconds that other jobs have cost it, which count against none of its limits (rule 25)."""
        return 0.0

    def blocks(self) -> bool:
        """Return whether it blocks the event loop of async jobs now."""
        return False

    @abstractmethod
    async def seen(self, secrets: Collection[str]) -> SeenWork:
        """Return what it does now, without harm to it; of a command line without ``secrets``."""


class ChildAttempt(Child, Attempt):
    """An attempt in a child process: a command, or a function in a process of its own."""

    job: Job
    keeper: ProcessIdentity

    @classmethod
    async def prepare(cls, job: Job, brief: Brief, templates: Templates, *, trust: TrustPage, output: Output) -> Self:
        """Start the keeper; the child itself waits for `go`. Raises `ChildNotStarted`, `Shortage` or `OSError`."""
        template = await templates.of(job)
        environment = {**templates.environment, **job.env, **brief.environment()}
        params_file = hand_over(brief.params, environment)
        command: tuple[str, ...] = FUNCTION_CHILD
        if job.function is not None:
            environment[BRIEF_VARIABLE] = brief.to_json()
        elif isinstance(job.command, str):
            command = ("/bin/sh", "-c", job.command)
        else:
            command = job.command or ()
        prepared = await cls.spawn(
            command,
            cwd=str(Path(brief.file).parent / (job.cwd or "")),
            env=environment,
            trust=trust,
            remove=params_file,
            template=template,
            output=output,
        )
        prepared.job = job
        return prepared

    async def wait(self) -> Outcome:
        return child_outcome(await self.ended())

    async def seen(self, secrets: Collection[str]) -> SeenWork:
        secrets, is_function = {*secrets, *self.job.env.values()}, self.job.function is not None
        return await seen_of_child(self.pid, self.keeper.pid, self._pipes, secrets=secrets, is_function=is_function)


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
            how = f"killed by {signal_name(ended.signal)}" if ended.signal else f"exited with status {ended.status}"
            error = error or (f"{how}, probably out of memory" if ended.out_of_memory else how)
        case _:
            assert_never(ended.why)
    return Outcome(state, error, status=ended.status, signal=ended.signal, peak_memory=ended.peak_memory)


# Inside the replica

_FRAMES = 12
"""How many frames of a traceback are kept, the last ones."""
_MOST_WAITING = 200
"""How many lines and reports of a job may wait for the replica's event loop. Then the job waits
too, as a process does for its pipe: jobs in a hurry would keep the loop from everything else.
"""
_LONGEST_WAIT = 1.0
"""Seconds that a call waits at most: even while the loop is blocked, the job goes on."""


class _NotBegun(Exception):
    """The function was not called."""


class _InsideAttempt(Attempt):
    """What both kinds have in common: a function of a job, with a log and prints that are kept as the attempt's output."""

    _kind: type[AsyncRun] | type[Run]
    _ended: "Future[BaseException | None]"
    """Its error or None, from `go` on."""

    def __init__(self, job: Job, brief: Brief, *, held: Lease, output: Output) -> None:
        assert job.function is not None  # noqa: S101 - commands run in processes
        self._function: Callable[..., Any] = job.function
        self._held = held
        self._output = output
        self._loop = asyncio.get_running_loop()
        self._told = False
        self._waiting: list[bytes | Progress] = []
        self._taken = threading.Condition()
        self._brief = brief
        self._run = self._kind(brief, self._trusted_until, self._put, self._make_logger, told_to_end=lambda: self._told)

    def stop(self, kill_after: float) -> None:
        del kill_after
        self.kill()

    def kill(self) -> None:
        self._told = True

    @contextmanager
    def _within(self) -> Iterator[None]:
        """Keep what the function prints as its output, and have its span as the current one.

        Raises `_NotBegun` if trust has ended, as in a replica that was paused since its claim (rule 2).
        """
        if boottime() >= self._trusted_until():
            raise _NotBegun
        with printed_to(self._put), self._brief.in_trace():
            yield

    def _trusted_until(self) -> float:
        return self._held.trusted_until if self._held.loss is None else 0.0

    async def wait(self) -> Outcome:
        over = asyncio.Event()
        self._ended.add_done_callback(lambda _: soon(self._loop, over.set))
        await over.wait()
        self._take()
        self._output.feed(b"", last=True)
        error = self._ended.result()
        if error is None:
            return Outcome("succeeded")
        if isinstance(error, _NotBegun):
            return Outcome("lost")
        state: JobOutcome = "stopped" if self._told else "failed"
        if isinstance(error, asyncio.CancelledError):
            return Outcome(state, "the job was cancelled")
        return Outcome(state, "".join(traceback.format_exception(error, limit=-_FRAMES)))

    def _make_logger(self) -> logging.Logger:
        """Return a logger whose lines go into the attempt's output only."""
        logger = logging.Logger(LOGGER, logging.INFO)  # noqa: LOG001 - its own, so that no other handler gets the lines
        logger.addHandler(_OutputHandler(self._put))
        return logger

    def _put(self, new: bytes | Progress) -> None:
        """Hand over output or a report to the replica's event loop; for any thread."""
        with self._taken:
            self._taken.wait_for(lambda: len(self._waiting) < _MOST_WAITING, _LONGEST_WAIT)
            if not self._waiting and not soon(self._loop, self._take):
                return
            self._waiting.append(new)

    def _take(self) -> None:
        with self._taken:
            waiting, self._waiting = self._waiting, []
            self._taken.notify_all()
        if printed := b"".join(one for one in waiting if isinstance(one, bytes)):
            self._output.feed(printed)
        for one in waiting:
            if isinstance(one, Progress):
                self._output.report(one)


class TaskAttempt(_InsideAttempt):
    """An async function in the replica's thread for tasks; it is cancelled when it must end."""

    _kind = AsyncRun
    _task: StartedTask

    def __init__(
        self, job: Job, brief: Brief, subject: JobSubject, *, held: Lease, thread: TaskThread, output: Output
    ) -> None:
        super().__init__(job, brief, held=held, output=output)
        self._subject = subject
        self._thread = thread

    async def go(self) -> None:
        self._task = self._thread.start(self._function, self._run, self._subject, self._within())
        self._ended = self._task.ended

    def kill(self) -> None:
        super().kill()
        self._task.cancel()

    def lost_to_others(self) -> float:
        return self._task.lost_to_others()

    def blocks(self) -> bool:
        return self._task.blocks()

    async def seen(self, secrets: Collection[str]) -> SeenWork:
        del secrets  # it has no command line
        return self._task.seen()


class ThreadAttempt(_InsideAttempt):
    """A function in a thread of its own; it hears from `run.ensure` that it must end."""

    _kind = Run

    async def go(self) -> None:
        self._ended = Future()
        self._thread = threading.Thread(target=self._call, name=f"leased-job-{self._brief.job}", daemon=True)
        self._thread.start()

    async def seen(self, secrets: Collection[str]) -> SeenWork:
        del secrets  # it has no command line
        return SeenWork(stacks=bounded([("thread of the job", of_thread(self._thread.ident))]))

    def _call(self) -> None:
        error: BaseException | None = None
        try:
            with self._within():
                self._function(self._run)
        except SystemExit as left:
            error = left if left.code else None
        except BaseException as raised:  # noqa: BLE001 - whatever ends it belongs to the attempt
            error = raised
        self._ended.set_result(error)


class _OutputHandler(logging.Handler):
    def __init__(self, put: Callable[[bytes], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        self._put(f"{self.format(record)}\n".encode(errors="replace"))
