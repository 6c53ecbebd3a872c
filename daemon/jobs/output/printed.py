"""The prints of jobs that run inside the replica, kept apart from those of everything else there."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .output import LONGEST_LINE


class _Printed:
    """The lines of one job, as they become whole. For any thread: those of `asyncio.to_thread` print here too."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = ""
        self._lock = threading.RLock()  # reentrant: a signal or a finalizer may print in the middle of a call
        self._closed = False

    def add(self, text: str) -> bool:
        """Pass on the lines that are whole, and return whether that was in time."""
        with self._lock:
            if self._closed:
                return False
            whole, end, self._rest = (self._rest + text).rpartition("\n")
            if len(self._rest) > LONGEST_LINE:
                end, self._rest = end + self._rest, ""
            if end:
                self._pass_on(whole + end)
            return True

    def close(self) -> None:
        """Pass on a line that has not ended; what comes after it is not the job's any more."""
        with self._lock:
            self._closed = True
            if self._rest:
                self._pass_on(self._rest)

    def _pass_on(self, text: str) -> None:
        self._take(text.encode(errors="replace"))


_PRINTED: ContextVar[_Printed | None] = ContextVar("leased_printed", default=None)
os.register_at_fork(after_in_child=lambda: _PRINTED.set(None))  # nobody there takes it


class _Parted:
    """A stream that gives what a job writes to its output, and all else to the stream that was there."""

    def __init__(self, beneath: Any) -> None:
        self._beneath = beneath

    def write(self, text: str) -> int:
        printed = _PRINTED.get()
        if printed is None or not printed.add(text):
            written: int = self._beneath.write(text)
            return written
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._beneath, name)


@contextmanager
def parted_streams() -> Iterator[None]:
    """Let stdout and stderr of this process tell apart, during the block, what is printed in `printed_to`."""
    before = {name: stream for name in ("stdout", "stderr") if (stream := getattr(sys, name)) is not None}
    parted = {name: _Parted(stream) for name, stream in before.items()}
    for name, stream in parted.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream in parted.items():
            if getattr(sys, name) is stream:
                setattr(sys, name, before[name])


@contextmanager
def printed_to(take: Callable[[bytes], None]) -> Iterator[None]:
    """Pass on to ``take`` what this thread or task prints during the block, where there are `parted_streams`."""
    printed = _Printed(take)
    token = _PRINTED.set(printed)
    try:
        yield
    finally:
        _PRINTED.reset(token)
        printed.close()
