"""The supervisor of `--replicas N`: it restarts each replica that ends, with a growing wait."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lease.durations import format_duration

from .environment import REPLICA_INDEX, SUPERVISOR_FD
from .stop_requests import SIGNAL_BASE

_STEPS = (
    "{name}: draining the replicas; they claim no more runs and let running jobs finish",
    "{name} again: stopping the replicas at once",
    "{name} a third time: killing the replicas",
)


@dataclass(frozen=True, slots=True)
class Restarts:
    """The waits before a replica is restarted, in seconds."""

    first: float = 0.5
    longest: float = 30.0
    healthy_after: float = 60.0
    """After a life this long, the next wait is the first again."""

    def wait(self, previous: float | None, lived: float) -> float:
        """Return the next wait, given the previous one, if any, and how long the replica lived."""
        if previous is None or lived >= self.healthy_after:
            return self.first
        return min(previous * 2, self.longest)


class Supervisor:
    """Keeps ``count`` replicas running until SIGTERM or SIGINT; ``command`` returns the i-th's
    command.

    The first signal is passed on (the replicas drain), and so is the second (they stop at once);
    the third kills them. If the supervisor itself dies, a pipe closes (see `stop_requests`). With
    ``until_idle``, a replica that exits by itself is not restarted, one that a signal ended is; the
    supervisor ends with the last of them.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        count: int,
        *,
        until_idle: bool = False,
        report: Callable[[str], object] = str,
        restarts: Restarts | None = None,
    ) -> None:
        self._command = command
        self._count = count
        self._until_idle = until_idle
        self._report = report
        self._restarts = restarts or Restarts()
        self._running: dict[int, Process] = {}
        self._signals: list[signal.Signals] = []

    async def run(self) -> int:
        """Return the exit status: the replicas' highest, or 128 + n after a signal n."""
        self._stopping = asyncio.Event()
        inherited, kept = os.pipe()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        try:
            statuses = await asyncio.gather(*(self._supervise(index, inherited) for index in range(self._count)))
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            os.close(kept)
            os.close(inherited)
        return SIGNAL_BASE + self._signals[0] if self._signals else max(statuses)

    async def _supervise(self, index: int, inherited: int) -> int:
        loop = asyncio.get_running_loop()
        wait: float | None = None
        while True:
            began = loop.time()
            status = await self._run_replica(index, inherited)
            if self._stopping.is_set() or (self._until_idle and status >= 0):
                return status
            wait = self._restarts.wait(wait, loop.time() - began)
            self._report(f"replica {index + 1} {_ended(status)}; restarting it in {format_duration(wait)}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
                return status

    async def _run_replica(self, index: int, inherited: int) -> int:
        """Run a replica and return its exit status, or the negative of the signal that ended it."""
        environment = {**os.environ, SUPERVISOR_FD: str(inherited), REPLICA_INDEX: str(index)}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(index),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(inherited,),
                env=environment,
                # Its own group, so that a terminal's Ctrl-C reaches it once, through us.
                process_group=0,
            )
        except OSError as error:
            self._report(f"replica {index + 1} cannot be started: {error.strerror}")
            return 1
        self._running[index] = process
        self._report(f"replica {index + 1} of {self._count} is process {process.pid}")
        for _ in self._signals:
            self._send(process)
        try:
            return await process.wait()
        finally:
            del self._running[index]

    def _stop(self, number: signal.Signals) -> None:
        self._signals.append(number)
        self._stopping.set()
        self._report(_STEPS[min(len(self._signals), len(_STEPS)) - 1].format(name=number.name))
        for process in self._running.values():
            self._send(process)

    def _send(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL if len(self._signals) >= len(_STEPS) else signal.SIGTERM)


def _ended(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
