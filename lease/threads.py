"""The threads of the library: those that call back into programs, those for blocking calls, and what
they share with the threads of programs.
"""

import asyncio
import errno
import selectors
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from itertools import compress, starmap
from operator import is_, not_
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar, TypeVarTuple, Unpack

from .errors import LeaseError
from .private import SafeCondition

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K")
Ts = TypeVarTuple("Ts")

_AT_ONCE = 4
"""How many blocking calls of an event loop may be under way at once."""


IN_A_CALLBACK = (
    "a callback (on_lost, watch or on_event) can't call a LeaseClient or release a lease: it runs in the thread that "
    "would have to do it; hand the call to a thread or an event loop of your own"
)


class CallbackThread(threading.Thread):
    """A daemon thread that calls callbacks of programs. Nothing in it may wait for a client: it could
    wait for itself, and no lease would be renewed meanwhile (rule 8).
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        super().__init__(target=run, name=name, daemon=True)


class SafeEvent(threading.Event):
    """An event for which threads of a program wait, and which the library's thread sets (see `SafeCondition`)."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = SafeCondition()
        self._is_set = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'set' if self._is_set else 'unset'}>"

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._changed:
            self._is_set = True
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        with self._changed:
            return self._changed.wait_for(self.is_set, timeout)


def caller() -> "weakref.ref[asyncio.Task[Any] | threading.Thread]":
    """Return the task, or otherwise the thread, that calls: itself, for a later one may have its id; weakly, for it
    would live for as long as what refers to it.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    reference: weakref.ref[asyncio.Task[Any] | threading.Thread] = weakref.ref(task or threading.current_thread())
    hash(reference)  # it keeps that, and of one that has gone it could not be told
    return reference


def in_callback_thread() -> bool:
    """Return whether this is a thread that calls back into programs."""
    return isinstance(threading.current_thread(), CallbackThread)


def drop(entries: dict[K, T], key: K, value: T) -> None:
    """Delete ``key`` if what it has is ``value`` itself, in one step: no other thread, and no signal's handler, comes
    between the look and the deletion.
    """
    list(map(entries.pop, compress((key,), map(is_, map(entries.get, (key,)), (value,)))))


def unless_done(future: "asyncio.Future[Any]", end: Callable[[T], object], value: T) -> Callable[[], object]:
    """Return a step of an event loop that calls ``end(value)``, unless ``future`` is done by then.

    It runs no bytecode of Python: asyncio would log what a signal's handler raised in the midst of it, and whoever
    waits for the future would wait for ever.
    """
    is_open = map(not_, starmap(future.done, ((),)))
    return partial(deque, starmap(end, compress(((value,),), is_open)), 0)


def refuse_green_threads() -> None:
    """Raise `LeaseError` where gevent has put its own in the place of threads."""
    monkey = sys.modules.get("gevent.monkey")  # not imported here: who has not loaded it has not patched anything
    if monkey is not None and any(map(monkey.is_module_patched, ("threading", "thread", "socket", "select"))):
        raise LeaseError(
            "gevent has patched this process (gevent.monkey), so the heartbeat would have no thread of its own, and no "
            "lease would be renewed while a greenlet works: hold leases in a process that is not patched"
        )


_Call = tuple["Future[Any]", Callable[[], Any]]


class LastingThreads(Executor):
    """An executor of daemon threads, at most ``number``, each started when it is first needed. Where the
    system refuses one, those that are there do its work, and without any the call ends with an `OSError`.

    Not a `ThreadPoolExecutor`: those take no more calls from the moment that the main thread ends, and their
    module cannot even be loaded then, although other threads may go on for hours and hold leases (rule 8).
    """

    def __init__(self, number: int, name: str) -> None:
        self._number = number
        self._name = name
        self._guard = threading.Lock()
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._busy = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        future: Future[T] = Future()
        with self._guard:
            if self._closed:
                raise RuntimeError("these threads have been shut down")
            if self._busy >= len(self._workers) < self._number:
                self._add_worker()
            if not self._workers:
                future.set_exception(OSError(errno.EAGAIN, "no thread can be started"))
                return future
            self._busy += 1
            self._calls.put((future, partial(fn, *args, **kwargs)))
        return future

    def _add_worker(self) -> None:
        name = f"{self._name}-{len(self._workers)}"
        worker = threading.Thread(target=self._work, name=name, daemon=True)
        with suppress(RuntimeError):  # the system has no thread left
            worker.start()
            self._workers.append(worker)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._guard:
            if not self._closed:
                self._closed = True
                for call in self._waiting() if cancel_futures else ():
                    call[0].cancel()
                for _ in self._workers:
                    self._calls.put(None)
        if wait:
            for worker in self._workers:
                worker.join()

    def _waiting(self) -> Iterator[_Call]:
        with suppress(Empty):  # a thread may take the last one meanwhile
            while (call := self._calls.get_nowait()) is not None:
                yield call

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            _run(*call)
            del call  # the loop waits in `get`, and would keep what it refers to
            with self._guard:
                self._busy -= 1


def _run(future: "Future[T]", call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future is told
        future.set_exception(error)
    else:
        future.set_result(result)


class LastingLoop(asyncio.SelectorEventLoop):
    """An event loop whose blocking calls (a host's name to look up, a file to close) are done by `LastingThreads`.
    They are no default executor of it: asyncio takes only a `ThreadPoolExecutor` for that.
    """

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        super().__init__(selector)
        self._lasting = LastingThreads(_AT_ONCE, "lease-blocking")

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        return super().run_in_executor(executor or self._lasting, func, *args)

    def close(self) -> None:
        super().close()
        self._lasting.shutdown(wait=False)
