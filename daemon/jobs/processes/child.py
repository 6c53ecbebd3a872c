"""A child process as the replica sees it, under its keeper (rule 20)."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self, assert_never

from ..output import Output
from ..reports import LONGEST_ERROR, Failure, FileChanged, Progress, Report, parse_report
from ..room import Shortage, shortage
from .identity import ProcessIdentity, end_leftovers, identity
from .spawn import ChildNotStarted, KeeperProcess, KeeperSource, Step, never_started, refusal, start_keeper
from .trust_page import TrustPage

CHUNK = 32 * 1024
PIPE_LIMIT = 1024 * 1024
LONGEST_REPORT = 8 * LONGEST_ERROR
_BEGIN = re.compile(rb'\{"(?:progress|error|changed)": ')


class ChildPipes:
    """Reads both pipes in the event loop and passes on each line of output and each progress."""

    def __init__(self, kept: KeeperProcess, output: Output) -> None:
        self._loop = asyncio.get_running_loop()
        self._printed, self.reported = kept.printed, kept.reported
        self._report = b""
        self.output = output
        self.failure: str | None = None
        """The error that a function child reported."""
        self.file_changed: str | None = None
        """Why a function child ran nothing."""
        self.others: list[bytes] | None = None
        """The lines on the report pipe that are no reports, while somebody asks for them."""
        self._loop.add_reader(self._printed, self._read_output)
        self._loop.add_reader(self.reported, self._read_reports)

    def drain(self) -> None:
        """Read what is left in the pipes, but no more: a process that escaped may go on writing."""
        for read in (self._read_output, self._read_reports):
            for _ in range(PIPE_LIMIT // CHUNK):
                if not read():
                    break

    def _read_output(self) -> bool:
        data = read_chunk(self._printed)
        if data:
            self.output.feed(data)
        elif data is not None:
            self._loop.remove_reader(self._printed)
        return bool(data)

    def _read_reports(self) -> bool:
        data = read_chunk(self.reported)
        if data == b"":
            self._loop.remove_reader(self.reported)
        *lines, self._report = (self._report + (data or b"")).split(b"\n")
        before = b""
        for line in lines:
            report, other = _report_in(before + line)
            before = b"" if report is None else other
            match report:
                case Progress() as progress:
                    self.output.report(progress)
                case Failure(error):
                    self.failure = error
                case FileChanged(why):
                    self.file_changed = why
                case None:  # a child may write anything
                    if self.others is not None:
                        self.others.append(other)
                case _:
                    assert_never(report)
        self._report = (before + self._report)[:LONGEST_REPORT]
        return bool(data)


def _report_in(line: bytes) -> tuple[Report | None, bytes]:
    """Return the report that ends a line, and what stands before it: a stack may be written at the same time."""
    if (report := parse_report(line)) is not None:
        return report, b""
    begins = _BEGIN.search(line)
    report = parse_report(line[begins.start() :]) if begins else None
    return report, line[: begins.start()] if begins and report else line


def read_chunk(descriptor: int) -> bytes | None:
    """Return what can be read now; empty at the end; None if there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


_AGAIN = 0.1
"""Seconds until it is looked again for what a keeper left, where the machine was short of what that takes."""
PATIENCE = 1.0
"""Seconds that a keeper has to answer that it ends the tree, before it is taken for dead."""

Why = Literal["exited", "trust", "pipe", "stopped", "killed", "abandoned", "refused"]
"""Why a child ended.

exited: by itself; trust: its lease could no longer be trusted; pipe: the replica's end closed; stopped and killed: on
request; abandoned: its keeper died, and the replica ended the tree; refused: its command could not be run.
"""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """The end of a child, once nothing of its tree is left."""

    status: int | None
    """The exit status of its main process; None if a signal ended it, or if it is unknown."""
    signal: int | None
    why: Why
    error: str | None = None
    """The traceback or sentence that a function child reported; why a command was refused."""
    file_changed: str | None = None
    """Why a function child ran nothing: FILE has changed."""
    peak_memory: int | None = None
    """The bytes that the largest process of its tree had in memory at its peak, from the exit of each."""
    out_of_memory: bool = False
    """It was killed, and the kernel counts more processes killed for want of memory than before it started."""
    leftovers: int = 0
    """How many processes of its tree were killed after its main process had exited."""


class Child:
    """A child process and its keeper: `spawn`, record `keeper`, `go`, `ended`."""

    def __init__(self, kept: KeeperProcess, refused: Callable[[Step, int], str], pipes: ChildPipes) -> None:
        self._loop = asyncio.get_running_loop()
        self._kept, self._refused, self._pipes = kept, refused, pipes
        self._received = b""
        self._refusal: str | None = None
        self._ending = self._keeper_killed = False
        self._result: dict[str, Any] = {"why": "abandoned"}
        self._started: asyncio.Future[ChildNotStarted | Shortage | None] = self._loop.create_future()
        self._keeper_deadline: asyncio.TimerHandle | None = None
        self.keeper = identity(kept.process.pid) or ProcessIdentity(kept.process.pid, 0)
        """The keeper; record it before `go`, so that a cleaner can end what is left (rule 18)."""
        self.pid: int | None = None
        """The child's main process, once it has started."""
        self._closed = asyncio.Event()
        self._loop.add_reader(kept.control, self._read_answers)
        self._ended = self._loop.create_task(self._finish())

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        trust: TrustPage,
        remove: str | None = None,
        template: KeeperSource | None = None,
        output: Output,
    ) -> Self:
        """Start the keeper; the child itself waits for `go`. Raises ChildNotStarted or Shortage.

        `env` is the whole environment. `output` gets what the child prints and reports, in the event loop. The file `remove`
        is gone when the child is, even if the replica dies first. With a `template` its keeper is forked from that.
        """
        kept = start_keeper(argv, cwd, env, trust, remove=remove, template=template)
        return cls(kept, partial(refusal, argv=argv, cwd=cwd, env=env), ChildPipes(kept, output))

    async def go(self) -> None:
        """Start the child and return once it runs; raises ChildNotStarted or Shortage with the reason."""
        with contextlib.suppress(OSError):  # the keeper is gone: its end is noticed in a moment
            await self._loop.sock_sendall(self._kept.control, self._kept.order)
        if (problem := await asyncio.shield(self._started)) is not None:
            raise problem

    def ended(self) -> "asyncio.Future[ChildEnd]":
        """Return a future of how the child ended; it is done when nothing of its tree is left."""
        return asyncio.shield(self._ended)

    def stop(self, kill_after: float) -> None:
        """Send SIGTERM to the tree, and kill what is left after `kill_after` seconds."""
        self._order(f"stop {kill_after:.3f}\n", kill_after + PATIENCE)

    def kill(self) -> None:
        """Kill the tree at once, even if its keeper is stuck; `ended` returns when it is gone."""
        self._order("kill\n", PATIENCE)

    def _order(self, order: str, patience: float) -> None:
        """Send an order to the keeper; kill the keeper if it does not begin within ``patience``."""
        if self._closed.is_set():
            return
        with contextlib.suppress(OSError):
            self._kept.control.send(order.encode())
        when = self._loop.time() + patience
        if self._keeper_deadline is None or when < self._keeper_deadline.when():
            if self._keeper_deadline is not None:
                self._keeper_deadline.cancel()
            self._keeper_deadline = self._loop.call_at(when, self._kill_keeper)

    def _kill_keeper(self) -> None:
        if not self._ending and not self._closed.is_set():
            self._keeper_killed = True
            self._kept.process.kill()

    def _read_answers(self) -> None:
        data = read_chunk(self._kept.control.fileno())
        if data == b"":
            self._loop.remove_reader(self._kept.control)
            self._closed.set()
        *lines, self._received = (self._received + (data or b"")).split(b"\n")
        for line in lines:
            match json.loads(line):
                case {"started": int() as pid}:
                    self.pid = pid
                    self._started.set_result(None)
                case {"refused": {"step": "cwd" | "command" as step, "errno": int() as number}}:
                    short = shortage(OSError(number, os.strerror(number)))
                    self._refusal = str(short) if short else self._refused(step, number)
                    self._result = {"why": "refused"}
                    self._started.set_result(short or ChildNotStarted(self._refusal))
                case {"ending": _}:
                    self._ending = True
                case {"stuck": pids}:
                    self._pipes.output.note(f"processes {pids} can't be killed; waiting for them to end")
                case {"ended": dict() as result}:
                    self._result = result
                case _:  # there is no other answer
                    pass

    async def _finish(self) -> ChildEnd:
        try:
            await self._closed.wait()
        except asyncio.CancelledError:  # the loop ends; the keeper ends the tree when its socket closes
            self._close()
            raise
        if self._keeper_deadline is not None:
            self._keeper_deadline.cancel()
        if self._result["why"] == "abandoned":
            await self._end_what_is_left()
        # Its descriptors close just before it can be waited for; a thread or a pidfd costs more.
        while self._kept.process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self._pipes.drain()
        self._close()
        result = {"status": None, "signal": None, "leftovers": 0, **self._result}
        output = self._pipes.output
        if not self._started.done():
            self._started.set_result(never_started(result["why"], self._kept.process.returncode or 0, output.tail))
        if result["leftovers"]:
            output.note(f"processes that the job left running were killed: {result['leftovers']}")
        output.feed(b"", last=True)
        error = self._refusal or self._pipes.failure
        return ChildEnd(error=error, file_changed=self._pipes.file_changed, **result)

    async def _end_what_is_left(self) -> None:
        """End the tree of a keeper that died without an answer.

        The keeper has not been waited for yet, so its process id and its session are still its own.
        """
        self._pipes.output.note("the keeper of this job died; killing the job's processes")
        if self._keeper_killed:
            self._result = {"why": "killed"}
        if sys.platform != "linux" and self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            return
        # A thread of its own: jobs may use all threads of the loop's pool.
        with ThreadPoolExecutor(1, "leftovers") as thread:
            while True:
                try:
                    if await self._loop.run_in_executor(thread, end_leftovers, self.keeper):
                        return
                    problem = "some of its processes can't be killed"
                except (OSError, MemoryError, RuntimeError) as error:  # no thread, or no descriptor to read /proc with
                    if shortage(error) is None:
                        raise
                    await asyncio.sleep(_AGAIN)
                    problem = f"cannot look for its processes ({error})"
                self._pipes.output.note(f"{problem}; waiting for them to end")

    def _close(self) -> None:
        for ours in (self._kept.control, self._kept.printed, self._kept.reported):
            self._loop.remove_reader(ours)
        self._kept.close()
