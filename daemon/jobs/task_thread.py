"""The event loop of async jobs, on a thread of its own (rule 8), and the watch over it, on another one (rule 25).

A job that blocks the loop holds up neither the heartbeat nor the replica. The watch asks the loop for an answer again
and again. While none comes, a callback holds the loop up: the stack of its thread shows whose it is, and the line where
it stands.
"""

import asyncio
import os
import sys
import threading
from asyncio.events import Handle
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

from lease.background import BackgroundLoop

from ..telemetry.facts import JobSubject, LoopBlocked, LoopFreed, Note, Notify
from ..telemetry.sentences import sentence
from .private import context_of, is_of_callback, raise_in
from .stacks import SeenWork, bounded, of_frames, of_tasks, outwards

_LAST_WAIT = 1.0
"""Seconds that the loop has to answer in when it is to end."""
LOOK_EVERY = 0.25
"""Seconds between two questions, and between two looks at what holds the answer up."""
NAMED_AFTER = 2.0
"""Seconds for which one callback holds the loop up before its job is named."""
_INTERRUPT_EVERY = 4
"""Looks between two attempts to end a job that must end."""
_OVERSLEPT = 4 * LOOK_EVERY
"""A look that is this late shows that the process was suspended or starved, which is no job's fault."""
_OURS = ("daemon", "lease")
_INSTALLED = (str(Path(os.__file__).parent), "<frozen")
"""What the file names of the standard library begin with."""
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@dataclass(eq=False, slots=True)
class Watched:
    function: Callable[..., Any]
    subject: JobSubject | None = None
    must_end: bool = False
    """It was asked to end: where it blocks, it is interrupted."""
    held_up: float = 0.0
    """The seconds for which it has held the loop up."""


CURRENT: ContextVar[Watched] = ContextVar("leased_job")
"""The job whose code runs; what a job starts in the loop inherits it."""


@dataclass(eq=False, slots=True)
class _Stall:
    """A callback that holds the loop up, and since when."""

    handle: Handle
    job: Watched | None
    since: float
    fact: LoopBlocked | None = None
    looks: int = 0


class TaskThread:
    """A thread that runs async functions, started with the first of them; and the watch over its loop, which costs nothing
    while no job is at work.
    """

    def __init__(self, notify: Notify = lambda _: None) -> None:
        self.held_up = 0.0
        """The seconds for which callbacks have held the loop up."""
        self._notify = notify
        self._loop: BackgroundLoop | None = None
        self._lock = threading.Lock()
        self._jobs = 0
        self._at_work = threading.Event()
        self._watcher: threading.Thread | None = None
        self._ended = threading.Event()
        self._ident = 0
        self._asked: float | None = None
        self._stall: _Stall | None = None
        self._has_failed = False

    def start(
        self,
        function: Callable[[Any], Awaitable[Any]],
        argument: Any,
        subject: JobSubject | None = None,
        within: AbstractContextManager[None] = nullcontext(),  # noqa: B008 - it has no state
    ) -> "StartedTask":
        """Start ``function(argument)`` in the thread, within a block; ``subject`` says which job it is. Raises `RuntimeError`
        where the system has no thread left for the loop or its watch.
        """
        with self._lock:
            if self._loop is None:
                loop = BackgroundLoop("leased-tasks")
                try:
                    loop.submit(self._begin_to_watch).result()
                except RuntimeError:
                    loop.stop()
                    raise
                self._loop = loop
        self._count(1)
        started = StartedTask(self._loop, self, Watched(function, subject), argument, within)
        started.ended.add_done_callback(lambda _: self._count(-1))
        return started

    def stop(self) -> None:
        """End the thread; one that a task blocks ends with the process."""
        if self._loop is not None and not self._loop.is_over:
            answers, _ = wait([self._loop.submit(lambda: asyncio.sleep(0))], _LAST_WAIT)
            self._ended.set()  # the watch ends before its loop
            self._at_work.set()
            if self._watcher is not None:
                self._watcher.join(_OVERSLEPT)
            if answers:
                self._loop.stop()

    async def _begin_to_watch(self) -> None:
        self._ident = threading.get_ident()
        loop = asyncio.get_running_loop()
        watcher = threading.Thread(target=self._watch, args=[loop], name="leased-tasks-watch", daemon=True)
        watcher.start()
        self._watcher = watcher

    # For any thread

    def _count(self, change: int) -> None:
        """Count jobs at work: while there are any, it watches."""
        with self._lock:
            self._jobs += change
            if self._jobs:
                self._at_work.set()
            else:
                self._at_work.clear()

    def age(self) -> float:
        """Return for how many seconds the loop has been blocked: it has not answered."""
        asked = self._asked
        return 0.0 if asked is None else monotonic() - asked

    def blocked(self) -> LoopBlocked | None:
        """Return what blocks the loop now, once it has been named."""
        stall = self._stall
        return None if stall is None else stall.fact

    def frames_of(self, job: Watched) -> list[FrameType]:
        """Return the frames of this job that the loop runs now, the innermost first; empty while it runs none."""
        found = _callback(self._ident)
        return found[1] if found is not None and context_of(found[0]).get(CURRENT) is job else []

    def blocked_by(self, job: Watched) -> bool:
        stall = self._stall
        return stall is not None and stall.job is job

    # In the watch's own thread

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._at_work.wait() and not self._ended.is_set():
            answered = threading.Event()
            loop.call_soon_threadsafe(answered.set)
            self._wait_for(answered)
            self._ended.wait(LOOK_EVERY)

    def _wait_for(self, answered: threading.Event) -> None:
        looked = self._asked = monotonic()
        while not answered.wait(LOOK_EVERY) and not self._ended.is_set():
            before, looked = looked, monotonic()
            if looked - before > _OVERSLEPT:
                self._asked = looked
                continue
            try:
                self._look(looked, looked - before)
            except Exception as error:  # noqa: BLE001 - without a watch, a job that blocks would do so for ever
                if not self._has_failed:
                    self._notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))
                self._has_failed = True
        self._asked = None
        self._over()

    def _look(self, now: float, seconds: float) -> None:
        """Take note of what has held the loop up for the last ``seconds``; of nothing, if the machine is slow."""
        found = _callback(self._ident)
        if found is None:
            return
        handle, frames = found
        stall = self._stall
        if stall is None or stall.handle is not handle:
            self._over()
            stall = self._stall = _Stall(handle, context_of(handle).get(CURRENT), now - seconds)
        self.held_up += seconds
        if stall.job is not None:
            stall.job.held_up += seconds
        if stall.fact is None and now - stall.since >= NAMED_AFTER:
            subject, function = (stall.job.subject, stall.job.function) if stall.job else (None, None)
            stall.fact = LoopBlocked(subject, where(frames, function))
            self._notify(stall.fact)
        if stall.job is not None and stall.job.must_end:
            if stall.looks % _INTERRUPT_EVERY == 0:
                self._interrupt(handle)
            stall.looks += 1

    def _over(self) -> None:
        stall, self._stall = self._stall, None
        if stall is not None and stall.fact is not None:
            self._notify(LoopFreed(stall.fact.job, monotonic() - stall.since))

    def _interrupt(self, handle: Handle) -> None:
        """Cancel a callback where it stands, if that is in Python; a call into C must return first.

        The exception would go to whatever the thread runs next, so it is taken back if the callback has
        ended meanwhile.
        """
        if self._runs(handle):
            raise_in(self._ident, asyncio.CancelledError)
            if not self._runs(handle):
                raise_in(self._ident, None)

    def _runs(self, handle: Handle) -> bool:
        found = _callback(self._ident)
        return found is not None and found[0] is handle


class StartedTask:
    """An async function at work in the thread."""

    def __init__(
        self,
        loop: BackgroundLoop,
        thread: TaskThread,
        job: Watched,
        argument: Any,
        within: AbstractContextManager[None],
    ) -> None:
        self.ended: Future[BaseException | None] = Future()
        """Its error or None, set when the function has really ended: a cancelled one may go on."""
        self._task: asyncio.Task[BaseException | None] | None = None
        self._loop = loop
        self._thread = thread
        self._job = job
        self._held_up_before = thread.held_up
        self._within = within
        loop.check()
        loop.soon(lambda: self._begin(argument))

    def cancel(self) -> None:
        """Ask the function to end; where it blocks the loop, it is interrupted."""
        self._job.must_end = True
        self._loop.soon(self._cancel)

    def blocks(self) -> bool:
        return self._thread.blocked_by(self._job)

    def seen(self) -> SeenWork:
        """Return where it stands: what it awaits, and what it runs at this moment. For any thread."""
        frames = self._thread.frames_of(self._job)
        stacks = [("running now", of_frames(frames))] if frames else []
        if self._task is not None:
            # Those that the job has started, as far as Python tells whose they are (from 3.12 on).
            others = (one for one in asyncio.all_tasks(self._task.get_loop()) if hasattr(one, "get_context"))
            stacks += of_tasks(self._task, [one for one in others if one.get_context().get(CURRENT) is self._job])
        named = self._thread.blocked()
        remarks = () if named is None or self.blocks() else (sentence(named),)
        return SeenWork(stacks=bounded(stacks), remarks=remarks)

    def lost_to_others(self) -> float:
        """Return for how many seconds of its life others have held up the loop."""
        return max(0.0, self._thread.held_up - self._held_up_before - self._job.held_up)

    # In the thread

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _begin(self, argument: Any) -> None:
        context = copy_context()
        context.run(CURRENT.set, self._job)
        self._task = asyncio.get_running_loop().create_task(self._run(argument), context=context)
        self._task.add_done_callback(self._end)

    async def _run(self, argument: Any) -> BaseException | None:
        try:
            with self._within:
                await self._job.function(argument)
        except SystemExit as error:  # out of a task it would end the loop and every job in it
            return error if error.code else None
        except KeyboardInterrupt as error:
            return error
        return None

    def _end(self, task: "asyncio.Task[BaseException | None]") -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self.ended.set_result(task.result() if error is None else error)  # an error may be false


def _callback(ident: int) -> tuple[Handle, list[FrameType]] | None:
    """Return the callback that a thread's event loop runs and its frames, the innermost first; None while it runs none."""
    frames = list(outwards(sys._current_frames().get(ident)))  # noqa: SLF001 - documented for this use
    for depth, frame in enumerate(frames):
        if is_of_callback(frame):
            handle = frame.f_locals.get("self")  # None once it has ended, while its thread goes on beside this one
            return None if handle is None or not depth else (handle, frames[:depth])
    return None


def where(frames: Sequence[FrameType], function: Callable[..., Any] | None) -> str:
    """Return file, line and function of the innermost frame that is the user's, or else of the innermost.

    The user's is what belongs to the top package of the job's ``function``, and what is neither ours nor installed.
    """
    package = _top(getattr(function, "__module__", None))
    found = next((frame for frame in frames if _is_users(frame, package)), frames[0])
    return f"{found.f_code.co_filename}:{found.f_lineno}, in {found.f_code.co_qualname}"


def _is_users(frame: FrameType, package: str | None) -> bool:
    file, top = frame.f_code.co_filename, _top(frame.f_globals.get("__name__"))
    if top == package is not None:
        return True
    return top not in _OURS and not file.startswith(_INSTALLED) and not any(part in file for part in _PACKAGES)


def _top(module: str | None) -> str | None:
    return module.partition(".")[0] if isinstance(module, str) else None
