"""The attempts inside the replica, which can be told to end, but not killed: a task, or a thread."""

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from lease.client import Lease
from lease.clock import boottime

from ..definitions.schedule import Job
from ..own_thread import soon
from ..states import JobOutcome
from ..telemetry.facts import JobSubject
from .brief import Brief
from .output import Output, printed_to
from .reports import Outcome, Progress
from .run import LOGGER, AsyncRun, Run
from .runners import Attempt, Listeners
from .stacks import SeenWork, bounded, of_thread
from .task_thread import StartedTask, TaskThread

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

    def __init__(
        self, kind: type[AsyncRun] | type[Run], job: Job, brief: Brief, *, held: Lease, listeners: Listeners
    ) -> None:
        assert job.function is not None  # noqa: S101 - commands run in processes
        self._function: Callable[..., Any] = job.function
        self._held = held
        self._listeners = listeners
        self._output = Output(listeners.output, listeners.transcript)
        self._loop = asyncio.get_running_loop()
        self._told = False
        self._waiting: list[bytes | Progress] = []
        self._taken = threading.Condition()
        self._brief = brief
        make_logger = partial(_own_logger, self._note)
        self._run = kind(brief, self._trusted_until, self._put, make_logger, told_to_end=lambda: self._told)

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

    async def _outcome(self, ended: "Future[BaseException | None]") -> Outcome:
        """Wait until the function has ended, and return how."""
        over = asyncio.Event()
        ended.add_done_callback(lambda _: soon(self._loop, over.set))
        await over.wait()
        self._take()
        self._output.feed(b"", last=True)
        error = ended.result()
        if error is None:
            return Outcome("succeeded")
        if isinstance(error, _NotBegun):
            return Outcome("lost")
        state: JobOutcome = "stopped" if self._told else "failed"
        if isinstance(error, asyncio.CancelledError):
            return Outcome(state, "the job was cancelled")
        return Outcome(state, "".join(traceback.format_exception(error, limit=-_FRAMES)))

    def _note(self, line: str) -> None:
        self._put(f"{line}\n".encode(errors="replace"))

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
                self._listeners.progress(one)


class TaskAttempt(_InsideAttempt):
    """An async function in the replica's thread for tasks; it is cancelled when it must end."""

    _task: StartedTask

    def __init__(
        self, job: Job, brief: Brief, subject: JobSubject, *, held: Lease, thread: TaskThread, listeners: Listeners
    ) -> None:
        super().__init__(AsyncRun, job, brief, held=held, listeners=listeners)
        self._subject = subject
        self._thread = thread

    async def go(self) -> None:
        self._task = self._thread.start(self._function, self._run, self._subject, self._within())

    async def wait(self) -> Outcome:
        return await self._outcome(self._task.ended)

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

    def __init__(self, job: Job, brief: Brief, *, held: Lease, listeners: Listeners) -> None:
        super().__init__(Run, job, brief, held=held, listeners=listeners)
        self._name = f"leased-job-{job.name}"
        self._ended: Future[BaseException | None] = Future()

    async def go(self) -> None:
        self._thread = threading.Thread(target=self._call, name=self._name, daemon=True)
        self._thread.start()

    async def wait(self) -> Outcome:
        return await self._outcome(self._ended)

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
