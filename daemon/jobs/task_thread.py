"""The event loop of async jobs, on a thread of its own (rule 8).

A job that blocks it holds up neither the heartbeat nor the replica, and is named by the watch over the loop (rule 25).
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Any

from lease.background import BackgroundLoop

from ..telemetry.facts import JobSubject, LoopBlocked, Notify
from ..telemetry.sentences import sentence
from .loop_watch import CURRENT, LoopWatch, Watched
from .stacks import SeenWork, bounded, of_frames, of_tasks

_LAST_WAIT = 1.0
"""Seconds that the loop has to answer in when it is to end."""


class TaskThread:
    """A thread that runs async functions; it is started with the first of them."""

    def __init__(self, notify: Notify = lambda _: None) -> None:
        self._loop: BackgroundLoop | None = None
        self._watch = LoopWatch(notify)
        self._lock = threading.Lock()

    def start(
        self,
        function: Callable[[Any], Awaitable[Any]],
        argument: Any,
        subject: JobSubject | None = None,
        within: AbstractContextManager[None] = nullcontext(),  # noqa: B008 - it has no state
    ) -> "StartedTask":
        """Start ``function(argument)`` in the thread, within a block; ``subject`` says which job it is."""
        with self._lock:
            if self._loop is None:
                self._loop = self._watched_loop()
        self._watch.count(1)
        started = StartedTask(self._loop, self._watch, Watched(function, subject), argument, within)
        started.ended.add_done_callback(lambda _: self._watch.count(-1))
        return started

    def _watched_loop(self) -> BackgroundLoop:
        """Return a loop with its watch; raises `RuntimeError` where the system has no thread left for either."""
        loop = BackgroundLoop("leased-tasks")
        try:
            loop.submit(self._watch.begin).result()
        except RuntimeError:
            loop.stop()
            raise
        return loop

    def age(self) -> float:
        """Return for how many seconds the loop has been blocked."""
        return self._watch.age()

    def blocked(self) -> LoopBlocked | None:
        """Return what blocks the loop now, once it has been named. For any thread."""
        return self._watch.named()

    def stop(self) -> None:
        """End the thread; one that a task blocks ends with the process."""
        if self._loop is not None and not self._loop.is_over:
            answers, _ = wait([self._loop.submit(lambda: asyncio.sleep(0))], _LAST_WAIT)
            self._watch.end()
            if answers:
                self._loop.stop()


class StartedTask:
    """An async function at work in the thread."""

    def __init__(
        self,
        loop: BackgroundLoop,
        watch: LoopWatch,
        job: Watched,
        argument: Any,
        within: AbstractContextManager[None],
    ) -> None:
        self.ended: Future[BaseException | None] = Future()
        """Its error or None, set when the function has really ended: a cancelled one may go on."""
        self._task: asyncio.Task[BaseException | None] | None = None
        self._loop = loop
        self._watch = watch
        self._job = job
        self._held_up_before = watch.held_up
        self._within = within
        loop.check()
        loop.soon(lambda: self._begin(argument))

    def cancel(self) -> None:
        """Ask the function to end; where it blocks the loop, it is interrupted."""
        self._job.must_end = True
        self._loop.soon(self._cancel)

    def blocks(self) -> bool:
        return self._watch.blocked_by(self._job)

    def seen(self) -> SeenWork:
        """Return where it stands: what it awaits, and what it runs at this moment. For any thread."""
        frames = self._watch.frames_of(self._job)
        stacks = [("running now", of_frames(frames))] if frames else []
        if self._task is not None:
            # Those that the job has started, as far as Python tells whose they are (from 3.12 on).
            others = (one for one in asyncio.all_tasks(self._task.get_loop()) if hasattr(one, "get_context"))
            stacks += of_tasks(self._task, [one for one in others if one.get_context().get(CURRENT) is self._job])
        named = self._watch.named()
        remarks = () if named is None or self.blocks() else (sentence(named),)
        return SeenWork(stacks=bounded(stacks), remarks=remarks)

    def lost_to_others(self) -> float:
        """Return for how many seconds of its life others have held up the loop."""
        return max(0.0, self._watch.held_up - self._held_up_before - self._job.held_up)

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
