"""Child processes as the replica sees them, each under a keeper (rule 20)."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Self

from ..output import Output
from ..reports import LONGEST_ERROR, Failure, Progress, parse_report
from .identity import ProcessIdentity, end_leftovers, identity
from .spawn import ChildNotStarted, KeeperProcess, refusal, start_keeper
from .trust_page import TrustPage

__all__ = ["FUNCTION_CHILD", "Child", "ChildEnd", "ChildNotStarted", "Why"]

FUNCTION_CHILD = (sys.executable, "-P", "-m", "daemon.jobs.child_main")
"""What runs a function in a child; its brief goes into the environment as `brief.BRIEF_VARIABLE`."""
CHUNK = 32 * 1024
PIPE_LIMIT = 1024 * 1024
LONGEST_REPORT = 8 * LONGEST_ERROR
PATIENCE = 1.0
"""Seconds that a keeper has to say that it ends the tree, before it is taken for dead."""

Why = Literal["exited", "trust", "pipe", "stopped", "killed", "abandoned", "refused"]


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended, once nothing of its tree is left."""

    status: int | None
    """The exit status of its main process; None if a signal ended it, or if that is not known."""
    signal: int | None
    why: Why
    """exited by itself; ended because trust ran out, the replica's pipe closed, or it was stopped or killed on request;
    abandoned: its keeper died, and the replica ended the tree; refused: its command could not be run."""
    tail: str
    """The last 8 KiB of what it printed."""
    error: str | None = None
    """What a function child reported, its traceback or one sentence; why a command was refused."""
    leftovers: int = 0
    """How many processes of its tree were killed after its main process had exited."""


class Child:
    """One child process and its keeper: `spawn`, record `keeper`, `go`, `wait`."""

    def __init__(
        self,
        kept: KeeperProcess,
        refused: Callable[[str, int], str],
        on_output: Callable[[str], None],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._kept, self._refused = kept, refused
        self._output, self._on_progress = Output(on_output), on_progress
        self._heard = self._report = b""
        self._error: str | None = None
        self._ending = self._insisted = False
        self._result: dict[str, Any] = {"why": "abandoned"}
        self._started: asyncio.Future[ChildNotStarted | None] = self._loop.create_future()
        self._insisting: asyncio.TimerHandle | None = None
        self.keeper = identity(kept.process.pid) or ProcessIdentity(kept.process.pid, 0)
        """Which process the keeper is; to be recorded before `go`, so that a cleaner can end what is left (rule 18)."""
        self.pid: int | None = None
        """The child's main process, once it has started."""
        self._closed = asyncio.Event()
        self._loop.add_reader(kept.control, self._listen)
        self._loop.add_reader(kept.printed, self._read_output)
        if kept.reported is not None:
            self._loop.add_reader(kept.reported, self._read_reports)
        self._ended = self._loop.create_task(self._finish())

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        trust: TrustPage,
        report: bool = False,
        on_output: Callable[[str], None],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Start the keeper; the child itself waits for `go`. ChildNotStarted when there can be no keeper.

        `env` is the whole environment. `on_output` gets each line that the child prints, in the event loop. With
        `report` (function children) the child is given the report pipe and the trust page.
        """
        kept = start_keeper(argv, cwd, env, trust, report=report)
        return cls(kept, lambda step, number: refusal(step, number, argv, cwd, env), on_output, on_progress)

    async def go(self) -> None:
        """Let the child run; return once it does. ChildNotStarted says in a sentence why it does not."""
        with contextlib.suppress(OSError):  # the keeper is gone: then its end is told in a moment
            await self._loop.sock_sendall(self._kept.control, self._kept.order)
        if (problem := await asyncio.shield(self._started)) is not None:
            raise problem

    async def wait(self) -> ChildEnd:
        """Return how the child ended, once nothing of its tree is left."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float) -> ChildEnd:
        """Send SIGTERM to the tree, kill after `grace` seconds what is left of it, and return how it ended."""
        self._tell(f"stop {grace:.3f}\n", grace + PATIENCE)
        return await self.wait()

    def kill(self) -> None:
        """Have the whole tree killed at once; `wait` returns when it is gone. A keeper that is stuck is gone round."""
        self._tell("kill\n", PATIENCE)

    def _tell(self, word: str, patience: float) -> None:
        if self._closed.is_set():
            return
        with contextlib.suppress(OSError):
            self._kept.control.send(word.encode())
        when = self._loop.time() + patience
        if self._insisting is None or when < self._insisting.when():
            if self._insisting is not None:
                self._insisting.cancel()
            self._insisting = self._loop.call_at(when, self._insist)

    def _insist(self) -> None:
        if not self._ending and not self._closed.is_set():
            self._insisted = True
            self._kept.process.kill()

    def _listen(self) -> None:
        data = _read(self._kept.control.fileno())
        if data is None:
            return
        if not data:
            self._loop.remove_reader(self._kept.control)
            self._closed.set()
            return
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, said: dict[str, Any]) -> None:
        match said:
            case {"started": int() as pid}:
                self.pid = pid
                self._started.set_result(None)
            case {"refused": {"step": str() as step, "errno": int() as number}}:
                self._error = self._refused(step, number)
                self._result = {"why": "refused"}
                self._started.set_result(ChildNotStarted(self._error))
            case {"ending": _}:
                self._ending = True
            case {"stuck": pids}:
                self._output.note(f"processes {pids} can't be killed; waiting for them to end")
            case {"ended": dict() as result}:
                self._result = result

    def _read_output(self) -> bool:
        data = _read(self._kept.printed)
        if data:
            self._output.feed(data)
        elif data is not None:
            self._loop.remove_reader(self._kept.printed)
        return bool(data)

    def _read_reports(self) -> bool:
        if self._kept.reported is None:
            return False
        data = _read(self._kept.reported)
        if data == b"":
            self._loop.remove_reader(self._kept.reported)
        *lines, self._report = (self._report + (data or b"")).split(b"\n")
        self._report = self._report[:LONGEST_REPORT]
        for line in lines:
            match parse_report(line):
                case Progress() as progress if self._on_progress is not None:
                    try:
                        self._on_progress(progress)
                    except Exception as error:  # noqa: BLE001 (a listener that fails must not stop the reading)
                        about = {"message": "a listener to a child's progress failed", "exception": error}
                        self._loop.call_exception_handler(about)
                case Failure(error):
                    self._error = error
        return bool(data)

    async def _finish(self) -> ChildEnd:
        try:
            await self._closed.wait()
        except asyncio.CancelledError:  # the loop ends: let go of the keeper, which ends the tree then
            self._close()
            raise
        if self._insisting is not None:
            self._insisting.cancel()
        if self._result["why"] == "abandoned":
            await self._end_what_is_left()
        # Its descriptors close a moment before it can be waited for; a thread or a pidfd for that would cost more.
        while self._kept.process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self._drain()
        result = {"status": None, "signal": None, "leftovers": 0, **self._result}
        if not self._started.done():
            self._started.set_result(ChildNotStarted(f"ended before it was started ({result['why']})"))
        if result["leftovers"]:
            self._output.note(f"what the job left running was killed (processes: {result['leftovers']})")
        self._output.feed(b"", last=True)
        return ChildEnd(tail=self._output.tail, error=self._error, **result)

    async def _end_what_is_left(self) -> None:
        """The keeper died without a word. It is not waited for yet: so its process id, and session, are still its own."""
        self._output.note("the keeper of this job has died; its processes are killed")
        if self._insisted:
            self._result = {"why": "killed"}
        if sys.platform != "linux" and self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            return
        # A thread of its own: jobs may have taken all of the loop's.
        with ThreadPoolExecutor(1, "leftovers") as thread:
            while not await self._loop.run_in_executor(thread, end_leftovers, self.keeper):
                self._output.note("some of its processes can't be killed; waiting for them to end")

    def _drain(self) -> None:
        """Take what is in the pipes still; no more, for a process that escaped may go on writing."""
        for read in (self._read_output, self._read_reports):
            for _ in range(PIPE_LIMIT // CHUNK):
                if not read():
                    break
        self._close()

    def _close(self) -> None:
        for descriptor in (self._kept.control.fileno(), self._kept.printed, self._kept.reported):
            if descriptor is not None:
                self._loop.remove_reader(descriptor)
        self._kept.close()


def _read(descriptor: int) -> bytes | None:
    """Read what is there; nothing at the end; None when there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
