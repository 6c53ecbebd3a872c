"""All that this library uses of other people's private parts, since there is no public way. Each has a test that
fails with a sentence if a later version lacks it.
"""

import _thread
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from inspect import getclosurevars, isfunction
from operator import call
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")
_CREATED_BY = ("sqlalchemy.engine.create", "create_engine.<locals>.connect")
"""Where SQLAlchemy makes the function by which a pool connects, unless the user gave another."""


class SafeCondition(_thread.RLock):  # type: ignore[misc]  # typeshed alone calls it final
    """A condition whose lock no signal leaves locked.

    `threading.Condition` takes its lock and gives it back in methods written in Python, and the handler
    of a signal may raise in the midst of them. Whoever wants the lock next then waits for ever: here
    that is the library's thread, and with it every lease (rule 8). An RLock does each in one step.
    """

    def __init__(self) -> None:
        self._waiters: deque[_thread.LockType] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until notified, without the lock; False after ``timeout`` seconds."""
        waiter = _thread.allocate_lock()
        waiter.acquire()
        self._waiters.append(waiter)
        saved: list[Any] = []
        try:
            # In one step: a signal between the release and the note of it would leave the lock to nobody.
            saved.extend(map(call, (self._release_save,)))  # type: ignore[attr-defined]
            return waiter.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        finally:
            if saved:
                self._acquire_restore(saved[0])  # type: ignore[attr-defined]
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def wait_for(self, predicate: Callable[[], object], timeout: float | None = None) -> bool:
        """Wait until ``predicate`` holds; False if it does not after ``timeout`` seconds."""
        end = None if timeout is None else monotonic() + timeout
        while not (holds := bool(predicate())) and (end is None or monotonic() < end):
            self.wait(None if end is None else end - monotonic())
        return holds

    def notify_all(self) -> None:
        while self._waiters:
            self._waiters.popleft().release()


class Answer(Future[T]):
    """A future for whose answer threads of a program wait."""

    def __init__(self) -> None:
        super().__init__()
        self._condition: Any = SafeCondition()


def connect_arguments(pool: object) -> Mapping[str, Any] | None:
    """Return the driver's arguments with which SQLAlchemy's ``pool`` connects; None if something else connects for it.

    Raises `LookupError` where this version of SQLAlchemy keeps them elsewhere.
    """
    creator = getattr(pool, "_creator", None)
    if not isfunction(creator) or (creator.__module__, creator.__qualname__) != _CREATED_BY:
        return None
    arguments = getclosurevars(creator).nonlocals.get("cparams")
    if not isinstance(arguments, Mapping):
        raise LookupError  # noqa: TRY004 - nobody has given it
    return arguments
