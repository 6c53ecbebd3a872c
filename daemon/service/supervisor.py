"""`--replicas N`: N replica processes, each started again when it ends, after a wait that grows while it keeps ending."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lease.durations import format_duration

from .environment import REPLICA_INDEX, SUPERVISOR_FD


@dataclass(frozen=True, slots=True)
class Restarts:
    """How long to wait before a replica is started again, in seconds."""

    first: float = 0.5
    longest: float = 30.0
    healthy_after: float = 60.0
    """One that lived this long has proven itself: its next wait is the first again."""

    def wait(self, previous: float | None, lived: float) -> float:
        """Return the next wait, from the one before it (None: there was none) and how long the replica lived."""
        if previous is None or lived >= self.healthy_after:
            return self.first
        return min(previous * 2, self.longest)


class Supervisor:
    """Keeps ``count`` replicas running until it gets SIGTERM or SIGINT; ``command`` returns what starts number i.

    The first signal is passed on (a replica drains), the second one too (a replica stops at once), the third one kills.
    When the supervisor itself dies, a pipe tells the replicas (`daemon.service.supervisor_pipe`). With ``until_idle`` a replica that
    ends by itself is over, and so is the supervisor once all are; one that a signal ended is started again.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        count: int,
        *,
        until_idle: bool = False,
        tell: Callable[[str], object] = str,
        restarts: Restarts | None = None,
    ) -> None:
        self._command = command
        self._count = count
        self._until_idle = until_idle
        self._tell = tell
        self._restarts = restarts or Restarts()
        self._running: dict[int, Process] = {}
        self._signals: list[signal.Signals] = []

    async def run(self) -> int:
        """Return the exit status: the worst of the replicas', or 128 and the number of the first signal."""
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
        return 128 + self._signals[0] if self._signals else max(statuses)

    async def _supervise(self, index: int, inherited: int) -> int:
        loop = asyncio.get_running_loop()
        wait: float | None = None
        while True:
            began = loop.time()
            status = await self._live(index, inherited)
            if self._stopping.is_set() or (self._until_idle and status >= 0):
                return status
            wait = self._restarts.wait(wait, loop.time() - began)
            self._tell(f"replica {index + 1} {_ended(status)}; it is started again in {format_duration(wait)}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
                return status

    async def _live(self, index: int, inherited: int) -> int:
        """Start a replica and return its exit status once it has ended; the negative of the signal that ended it."""
        environment = {**os.environ, SUPERVISOR_FD: str(inherited), REPLICA_INDEX: str(index)}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(index),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(inherited,),
                env=environment,
                # Its own group: what a terminal sends on Ctrl-C reaches it once, through us.
                process_group=0,
            )
        except OSError as error:
            self._tell(f"replica {index + 1} cannot be started: {error.strerror}")
            return 1
        self._running[index] = process
        self._tell(f"replica {index + 1} of {self._count} runs as process {process.pid}")
        for _ in self._signals:
            self._send(process)
        try:
            return await process.wait()
        finally:
            del self._running[index]

    def _stop(self, number: signal.Signals) -> None:
        self._signals.append(number)
        self._stopping.set()
        self._tell(_STEPS[min(len(self._signals), len(_STEPS)) - 1].format(name=number.name))
        for process in self._running.values():
            self._send(process)

    def _send(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL if len(self._signals) >= len(_STEPS) else signal.SIGTERM)


_STEPS = (
    "{name}: the replicas claim nothing more and let running jobs finish",
    "{name} again: the replicas stop at once",
    "{name} a third time: the replicas are killed",
)


def _ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
