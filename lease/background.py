"""The library's own thread with an event loop of its own, so that nothing a job does stops the heartbeat (rule 8)."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from .clock import Clock, DrivenClock, boottime
from .database.forks import advice
from .errors import LeaseError
from .model import CLOSED
from .private import Answer
from .threads import IN_A_CALLBACK, CallbackThread, LastingLoop, in_callback_thread

T = TypeVar("T")

_logger = logging.getLogger("lease")
_UNANSWERED = "this client was closed before this call was answered"
_LAST_WAIT = 1.0
"""Seconds that tasks have to end in when the loop ends."""
_AT_ONCE = 50
"""How many calls begin before all else in the loop has had its turn again, the heartbeat too."""


class BackgroundLoop:
    """An event loop in a daemon thread. A process that forks must make its own: threads do not survive a fork.

    It shares no lock with those who call: a signal could leave that locked, and stop all of it.
    """

    def __init__(
        self, name: str, clock: Clock = boottime, failed: Callable[[Exception], object] = lambda _: None
    ) -> None:
        """``failed`` is called if the loop ends unasked."""
        self._driven = clock if isinstance(clock, DrivenClock) else None
        # Not asyncio.new_event_loop(): psycopg refuses the kind that Windows makes by default.
        self._loop: asyncio.AbstractEventLoop = LastingLoop() if self._driven is None else self._driven.new_loop()
        self._pid = os.getpid()
        self._open: set[Future[Any]] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._asked: deque[_Call[Any]] = deque()
        self._room = _AT_ONCE
        self._stopping = self._over = False
        self._failed = failed
        self._thread = CallbackThread(name, self._run)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no thread left
            self._loop.close()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)  # jobs run in it too, and may ask the policy
        try:
            try:
                self._run_until_stopped()
            finally:
                self._over = True  # not Thread.is_alive: up to Python 3.12, a signal in the midst of it makes it say no
            self._loop.run_until_complete(self._end_tasks())
        except Exception as error:
            self._failed(error)
            raise
        finally:
            self._loop.close()
            self._refuse_what_is_open()

    def _run_until_stopped(self) -> None:
        """Run the loop until `stop`, also when what runs in it stops it, or raises out of it what asyncio lets
        pass: of an exit in one task, all others would never end, and a lease be renewed for ever.
        """
        while not self._stopping:
            try:
                self._loop.run_forever()
            except BaseException as error:
                if isinstance(error, Exception):  # the loop itself is broken
                    raise

    def submit(self, work: Callable[[], Coroutine[Any, Any, T]], patience: float | None = 0.0) -> "Future[T]":
        """Begin ``work()`` in this loop. Cancelling the future cancels it; if the loop ends before, the future gets a
        `LeaseError`. ``patience`` is for clocks that a test moves (`lease.clock.DrivenClock`).
        """
        self.check()
        call = _Call(work, self._loop)
        self._open.add(call.future)
        self._asked.append(call)
        if not self.soon(self._begin_next) or self._over:  # asked last: what is asked before it is over is begun
            raise LeaseError(CLOSED)
        call.future.add_done_callback(self._open.discard)
        if self._driven is not None:
            self._driven.asked(call.future, patience)
        return call.future

    def _begin_next(self) -> None:
        """Begin what was asked for, unless there was much of it just now: the rest waits until all else in this
        loop has had its turn. All of it, since a signal may have cut short who asked before this was called for it.
        """
        while self._room > 0 and self._asked:
            self._room -= 1
            self._asked.popleft().begin(self)
            if self._room == 0:
                self._loop.call_soon(self._begin_more)

    def _begin_more(self) -> None:
        self._room = _AT_ONCE
        self._begin_next()

    def soon(self, step: Callable[[], object]) -> bool:
        """Do ``step`` in this loop's thread, without anybody who waits for it; False once the loop is over."""
        try:
            self._loop.call_soon_threadsafe(step)
        except RuntimeError:
            return False
        return True

    def begin(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Begin ``work()`` in a task of this loop, for whose end nobody waits; from any thread."""
        self.soon(partial(self._begin, work))

    def _begin(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        if self._over:  # it might not come to its first step, and a closed client has put all right
            return
        task = self._loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(task.exception(), Exception):
            _logger.debug("a background task failed", exc_info=task.exception())

    def check(self) -> None:
        """Raise `LeaseError` where this loop cannot be used."""
        if os.getpid() != self._pid:
            raise LeaseError(
                f"this client was made before os.fork(); {advice('make a LeaseClient in the child process')}"
            )
        if self._over:
            raise LeaseError(CLOSED)
        if in_callback_thread():
            raise LeaseError(IN_A_CALLBACK)

    @property
    def is_inherited(self) -> bool:
        """The loop is another process's, which has forked this one."""
        return os.getpid() != self._pid

    @property
    def is_over(self) -> bool:
        return self._over

    def stop(self) -> None:
        """End the loop and wait for its thread."""
        if self.is_inherited:
            return
        self._stopping = True
        self.soon(self._end_running)
        self._thread.join()

    def _end_running(self) -> None:
        if not self._over:  # otherwise it would end before its tasks have
            self._loop.stop()

    async def _end_tasks(self) -> None:
        """Cancel what is left in the loop, and wait a little for it."""
        await asyncio.sleep(0)
        while self._asked:  # what was submitted last begins, and can be ended
            self._begin_more()
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_LAST_WAIT)

    def _refuse_what_is_open(self) -> None:
        """Answer whoever still waits for what could not be ended in time."""
        for future in list(self._open):
            with suppress(InvalidStateError):  # its caller has gone
                future.set_exception(LeaseError(_UNANSWERED))


@dataclass(eq=False, slots=True)
class _Call(Generic[T]):
    """What one caller asked for. Its coroutine is made in the loop's thread, so that a signal in the
    caller's leaves none behind that nobody awaits.

    Once answered, it is in no circle of references, which only the garbage collector would end: that of thousands
    who leave at once would stop every thread for seconds.
    """

    _work: Callable[[], Coroutine[Any, Any, T]]
    _loop: asyncio.AbstractEventLoop
    future: Answer[T] = field(default_factory=Answer, init=False)

    def begin(self, background: BackgroundLoop) -> None:
        task = self._loop.create_task(self._run(background))
        self.future.add_done_callback(partial(_end, task))

    async def _run(self, background: BackgroundLoop) -> None:
        try:
            with suppress(InvalidStateError):  # its caller has gone
                try:
                    self.future.set_result(await self._work())
                except asyncio.CancelledError:  # not raised on: this task would keep it, with all its frames
                    if background.is_over:
                        self.future.set_exception(LeaseError(_UNANSWERED))
                    self.future.cancel()
                except Exception as error:  # noqa: BLE001 - told to whoever waits for the future
                    self.future.set_exception(error)
        finally:
            del self  # the error keeps this frame, and must not be kept by it


def _end(task: "asyncio.Task[None]", future: "Future[T]") -> None:
    """End ``task``, whose answer nobody wants any more."""
    if future.cancelled():
        with suppress(RuntimeError):  # the loop is closed, and the task has ended with it
            task.get_loop().call_soon_threadsafe(task.cancel)
