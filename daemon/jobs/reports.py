"""The reports of a function child to its replica: lines of JSON on the report pipe, and there too, on a signal, the
stack of a thread; and the outcome of an attempt, and a piece of what it printed.
"""

import contextlib
import json
import os
import signal
import threading
from dataclasses import asdict, dataclass
from typing import assert_never

from ..states import JobOutcome

LONGEST_ERROR = 16 * 1024
LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come: `done` of `total` (None: unknown), and a message about it."""

    done: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a function failed: its traceback, or one sentence."""

    error: str


@dataclass(frozen=True, slots=True)
class FileChanged:
    """Why nothing was run: FILE is not what the replica has loaded, in one sentence."""

    why: str


Report = Progress | Failure | FileChanged


def parse_report(line: bytes) -> Report | None:
    """Return the report on one line; None if it is not a report: a child may write anything."""
    try:
        match json.loads(line):
            case {"progress": {"done": int() | float() as done, "total": total, "message": message}}:
                known = isinstance(total, int | float)
                return Progress(done, total if known else None, None if message is None else str(message))
            case {"error": str() as error}:
                return Failure(error)
            case {"changed": str() as why}:
                return FileChanged(why)
            case _:
                return None
    except ValueError:
        return None


class ReportPipe:
    """The child's end of the pipe. A replica that does not read (it may be stopped) delays no job: progress is dropped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def send(self, report: Report) -> None:
        """Write one report. Never raises: a report that can't be sent is no reason to fail."""
        said: dict[str, object]
        match report:
            case Progress(message=message):
                said = {"progress": {**asdict(report), "message": message and message[:LONGEST_MESSAGE]}}
            case Failure(error):
                said = {"error": error[-LONGEST_ERROR:]}
            case FileChanged(why):
                said = {"changed": why[-LONGEST_ERROR:]}
            case _:
                assert_never(report)
        line = json.dumps(said, ensure_ascii=False).encode(errors="replace") + b"\n"
        with self._lock, contextlib.suppress(OSError):
            os.set_blocking(self._fd, not isinstance(report, Progress))
            line = line[os.write(self._fd, line) :]
            os.set_blocking(self._fd, True)  # half a line would spoil the next
            while line:
                line = line[os.write(self._fd, line) :]


SIGNAL = signal.SIGURG
"""On it, faulthandler writes the stack of the thread that gets it onto the report pipe.

It does nothing to a process that does not handle it: one that has just replaced its program, or whose process id is
another's by now, is not harmed. The descriptor is opened anew, so that its writes never wait. Only the thread that gets
the signal writes its own stack: that of another thread can change while it is read, which crashes the process.
"""


def answer_signal(report: int) -> None:
    """Have the stack written to the pipe ``report`` on each signal, unless FILE handles the signal itself."""
    try:
        if catches(os.getpid()):
            return
        import faulthandler  # noqa: PLC0415 - here, for what has no signals

        pipe = os.open(f"/proc/self/fd/{report}", os.O_WRONLY | os.O_NONBLOCK)
        faulthandler.register(SIGNAL, file=pipe, all_threads=False)
    except (OSError, RuntimeError, AttributeError):  # the job goes on without
        return


def catches(pid: int) -> bool:
    with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123 - no pathlib in each child
        for line in file:
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (SIGNAL - 1) & 1)
    return False


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what an attempt printed; ``start`` bytes and ``line`` ends of lines came before it."""

    start: int
    line: int
    text: str
    keep_from: int | None = None
    """Pieces that start before this place are not needed any more; None: all are."""

    @property
    def size(self) -> int:
        """Its bytes in UTF-8."""
        return len(self.text.encode())

    @property
    def lines(self) -> int:
        """The number of lines that end in it."""
        return self.text.count("\n")

    def and_then(self, text: str) -> "Piece":
        return Piece(self.start, self.line, self.text + text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state in which an attempt ended, and what is known about it."""

    state: JobOutcome
    error: str | None = None
    tail: Piece | None = None
    """What it printed and is not known to be saved."""
    status: int | None = None
    """The exit status of a child; None if a signal ended it, or for a task."""
    signal: int | None = None
    stalled: bool = False
    """`stall_after` ended it."""
    ends_run: bool = False
    """The time of the whole run is over, so nothing more of it is started."""
    peak_memory: int | None = None
    """The bytes that the largest process of a child's tree had in memory at its peak."""
