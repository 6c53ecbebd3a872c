"""The threads of the library: those that call back into programs, and those for blocking calls."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from .errors import LeaseError

P = ParamSpec("P")
T = TypeVar("T")


class CallbackThread(threading.Thread):
    """A daemon thread that calls callbacks of programs. Nothing in it may wait for a client: it could
    wait for itself, and no lease would be renewed meanwhile (rule 8).
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        super().__init__(target=run, name=name, daemon=True)


def caller() -> "asyncio.Task[Any] | threading.Thread":
    """Return the task, or otherwise the thread, that calls: itself, for a later one may have its id."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    return threading.current_thread() if task is None else task


def refuse_in_callbacks() -> None:
    """Raise `LeaseError` where a callback of a program is what calls."""
    if isinstance(threading.current_thread(), CallbackThread):
        raise LeaseError(
            "a callback (on_lost, watch or on_event) can't call a LeaseClient or release a lease: it runs in the "
            "thread that would have to do it; hand the call to a thread or an event loop of your own"
        )


_Call = tuple["Future[Any]", Callable[[], Any]]


class LastingThreads(ThreadPoolExecutor):
    """An executor of daemon threads, at most ``number``, each started when it is first needed.

    Those of the base class take no more calls from the moment that the main thread ends, although
    other threads may go on for hours and hold leases (rule 8). It is the base all the same because
    an event loop takes nothing else for its default executor.
    """

    def __init__(self, number: int, name: str) -> None:
        super().__init__(number, name)
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
            self._busy += 1
            self._calls.put((future, lambda: fn(*args, **kwargs)))
            if self._busy > len(self._workers) < self._number:
                name = f"{self._name}-{len(self._workers)}"
                worker = threading.Thread(target=self._work, name=name, daemon=True)
                self._workers.append(worker)
                worker.start()
        return future

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

    def _waiting(self) -> list[_Call]:
        calls = []
        while not self._calls.empty():
            if (call := self._calls.get()) is not None:
                calls.append(call)
        return calls

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
