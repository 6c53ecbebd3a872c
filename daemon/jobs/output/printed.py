"""What a job prints that runs in a thread of the replica, apart from what all else there prints."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class _Printed:
    """The lines of one job, as they become whole."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = ""

    def add(self, text: str) -> None:
        whole, end, self._rest = (self._rest + text).rpartition("\n")
        if end:
            self._pass_on(whole + end)

    def close(self) -> None:
        """Pass on a line that has not ended."""
        rest, self._rest = self._rest, ""
        if rest:
            self._pass_on(rest)

    def _pass_on(self, text: str) -> None:
        self._take(text.encode(errors="replace"))


_PRINTED: ContextVar[_Printed | None] = ContextVar("leased_printed", default=None)


class _Parted:
    """A stream that gives what a job in a thread writes to its output, and all else to the stream that was there."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        printed = _PRINTED.get()
        if printed is None:
            written: int = self._stream.write(text)
            return written
        printed.add(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printed_to(take: Callable[[bytes], None]) -> Iterator[None]:
    """Pass on to ``take`` what this thread prints during the block, on stdout and stderr."""
    for name in ("stdout", "stderr"):
        if not isinstance(stream := getattr(sys, name), _Parted) and stream is not None:
            setattr(sys, name, _Parted(stream))  # for good: others may be in such a block, or have kept it
    printed = _Printed(take)
    token = _PRINTED.set(printed)
    try:
        yield
    finally:
        _PRINTED.reset(token)
        printed.close()
