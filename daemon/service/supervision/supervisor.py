"""The supervisor of `--replicas N`: it keeps N replicas running, each in its slot, and replaces them on SIGHUP."""

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Self

from lease.durations import format_duration, next_wait

from ...jobs.processes.identity import identity
from ...text import signal_name
from ...web.address import WebAddress
from ...web.door import Door
from ..environment import CHECKED_DIGEST, READY_FD, REPLACED_PROCESS, REPLICA_INDEX, SUPERVISOR_FD
from ..outside.file_check import CheckedFile, CommandLine, WrongFile
from ..outside.outside import OTHER_FILE, READY, SIGNAL_BASE, WEB, Outside

if TYPE_CHECKING:
    from .gathered_metrics import GatheredMetrics, Sources


# One replica process and its slot: whatever ends there is started again, and it can be replaced

KILLED_AT = 3
"""The request that kills; the first one drains, the second one stops the jobs at once."""


class SupervisedReplica:
    """A replica process: it starts, says that it is ready, and ends."""

    def __init__(
        self, process: Process, heard: int, checked: CheckedFile, changed: Callable[[], None], index: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.process = process
        self.checked = checked
        self.index = index
        self.began = self._loop.time()
        self.is_ready = False
        self.found_other_file = False
        """It refused to run FILE, which is not what was checked."""
        self.web: WebAddress | None = None
        """Where it answers over HTTP, once it does."""
        self._requests = 0
        self._heard, self._words = heard, b""
        self._changed = changed
        self._has_settled = asyncio.Event()
        self._loop.add_reader(heard, self._hear)
        self.end = asyncio.ensure_future(self._wait())
        """Its exit status, or the negative of the signal that ended it."""

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        checked: CheckedFile,
        *,
        index: int,
        alive: int,
        replaced: "SupervisedReplica | None" = None,
        changed: Callable[[], None] = lambda: None,
    ) -> Self:
        """Start a replica; raises `OSError`. ``alive`` is the pipe that closes when the supervisor ends. ``changed`` is
        called when it becomes ready, and when it ends.
        """
        heard, answers = os.pipe()
        told = {SUPERVISOR_FD: str(alive), READY_FD: str(answers), REPLICA_INDEX: str(index)}
        told[CHECKED_DIGEST] = checked.digest
        if replaced is not None and (known := identity(replaced.process.pid)) is not None:
            told[REPLACED_PROCESS] = f"{known.pid}.{known.start_time}"
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                pass_fds=(alive, answers),
                env={**environment, **told},
                # Its own group, so that a terminal's Ctrl-C reaches it once, through us.
                process_group=0,
            )
        except BaseException:
            os.close(heard)
            raise
        finally:
            os.close(answers)
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(json.dumps(checked.settings).encode())  # the list of processes and /proc show no secret
        process.stdin.close()
        return cls(process, heard, checked, changed, index)

    @property
    def serves(self) -> bool:
        """Whether it is ready and goes on."""
        return self.is_ready and self._requests == 0 and not self.end.done()

    @property
    def lived(self) -> float:
        return self._loop.time() - self.began

    async def settled(self, within: float) -> bool:
        """Wait until it is ready or has ended, at most ``within`` seconds; return whether it is ready."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._has_settled.wait()
        return self.is_ready and not self.end.done()

    def ask(self, request: int) -> None:
        """Pass on the n-th request to end, and those before it; a repeat does nothing."""
        while self._requests < request:
            self._requests += 1
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL if self._requests >= KILLED_AT else signal.SIGTERM)

    def ending(self) -> str:
        if self.found_other_file:
            return (
                "did not start because FILE has changed since it was checked; send SIGHUP to the supervisor to load it"
            )
        status = self.end.result()
        return f"exited with status {status}" if status >= 0 else f"was killed by {signal_name(-status)}"

    def why_not_ready(self, within: float) -> str:
        """Return why it is no replica to go on with, in words."""
        if self.found_other_file:
            return "found that FILE had changed again since it was checked"
        if self.end.done():
            return f"{self.ending()} before it was ready"
        return f"was not ready within {format_duration(within)}"

    def _hear(self) -> None:
        data = os.read(self._heard, 4096)
        if not data:
            self._loop.remove_reader(self._heard)
        self._words += data
        self.found_other_file = OTHER_FILE in self._words
        told = [line for line in self._words.split(b"\n")[:-1] if line.startswith(WEB)]
        self.web = WebAddress.parse(told[-1].removeprefix(WEB).decode()) if told else None
        if READY in self._words and not self.is_ready:
            self.is_ready = True
            self._has_settled.set()
            self._changed()

    async def _wait(self) -> int:
        try:
            return await self.process.wait()
        finally:
            self._loop.remove_reader(self._heard)
            with contextlib.suppress(OSError):
                os.set_blocking(self._heard, False)
                self._hear()
            os.close(self._heard)
            self._has_settled.set()
            self._loop.call_soon(self._changed)


@dataclass(frozen=True, slots=True)
class Restarts:
    """The waits before a replica is restarted, in seconds."""

    first: float = 0.5
    longest: float = 30.0
    healthy_after: float = 60.0
    """After a life this long, the next wait is the first again."""

    def wait(self, previous: float, lived: float) -> float:
        """Return the next wait, given the previous one, 0 if there was none, and how long the replica lived."""
        return next_wait(0.0 if lived >= self.healthy_after else previous, self.first, self.longest)


Start = Callable[[int, CheckedFile, SupervisedReplica | None], Awaitable[SupervisedReplica | None]]
"""Starts the replica of a slot, in the place of another one; None if it cannot be started."""


@dataclass(eq=False)
class Slot:
    """Keeps one replica running, of what was last checked for this slot."""

    index: int
    checked: CheckedFile
    start: Start
    warn: Callable[[str], object]
    restarts: Restarts
    until_idle: bool

    def __post_init__(self) -> None:
        self.current: SupervisedReplica | None = None
        self._stopping = False
        self._turn = asyncio.Lock()
        """Held by whoever starts a replica here."""
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Start nothing here any more."""
        self._stopping = True
        self._wake.set()

    async def keep(self) -> int:
        """Keep a replica here until `stop`, or ``until_idle`` until one exits by itself; return the last status."""
        wait = 0.0
        await self._fill(None)
        while True:
            replica = self.current
            status = 1 if replica is None else await asyncio.shield(replica.end)
            async with self._turn:  # a replica that takes its place is not held up by a wait
                pass
            if self.current is not replica:
                wait = 0.0
                continue
            if self._stopping or (self.until_idle and status >= 0):
                return status
            wait = self.restarts.wait(wait, 0.0 if replica is None else replica.lived)
            if replica is not None:
                self.warn(f"replica {self.index + 1} {replica.ending()}; restarting it in {format_duration(wait)}")
            self._wake.clear()
            if not self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            await self._fill(replica)

    async def replace(self, checked: CheckedFile, within: float) -> str | None:
        """Start a replica of what was checked, and drain the one here once that is ready. Return the problem if it is
        not ready ``within`` so many seconds; the one here then goes on.
        """
        async with self._turn:
            old = self.current
            if self._stopping or (old is not None and old.checked is checked and not old.end.done()):
                return None
            new = await self.start(self.index, checked, old)
            if new is None:
                return "cannot be started"
            if not await new.settled(within):
                problem = new.why_not_ready(within)
                new.ask(1)
                return problem
            self.current, self.checked = new, checked
            self._wake.set()
        if old is not None:
            old.ask(1)
            await asyncio.shield(old.end)
        return None

    async def _fill(self, ended: SupervisedReplica | None) -> None:
        async with self._turn:
            if self.current is ended and not self._stopping:
                self.current = await self.start(self.index, self.checked, None)


READY_WITHIN = 60.0
"""Seconds in which a new replica must be ready to claim, or the old ones go on."""
_STEPS = (
    "{name}: draining the replicas; they claim no more runs and let running jobs finish",
    "{name} again: stopping the replicas at once",
    "{name} a third time: killing the replicas",
)
_GIVEN_UP = "SIGHUP: abandoned because the replicas are stopping"


# The supervisor


class _NotReplaced(Exception):
    """FILE, or a new replica, is not as it should be."""


@dataclass(eq=False)
class Supervisor:
    """Keeps ``count`` replicas of one command line running until SIGTERM or SIGINT.

    The first signal is passed on (the replicas drain), and so is the second (they stop at once); the third kills them.
    If the supervisor itself dies, a pipe closes (see `stop_requests`). With ``--until-idle``, a replica that exits by
    itself is not restarted, one that a signal ended is; the supervisor ends with the last of them.

    On SIGHUP it has FILE checked and then replaces one replica after another: each new one is ready before the one in
    whose place it was started drains (rule 22).
    """

    command_line: CommandLine
    count: int
    checked: CheckedFile
    outside: Outside
    _: KW_ONLY
    report: Callable[[str], object] = str
    warn: Callable[[str], object] = str
    restarts: Restarts = field(default_factory=Restarts)
    ready_within: float = READY_WITHIN
    door: Door | None = None

    def __post_init__(self) -> None:
        self._manager = self.outside.manager
        self._living: set[SupervisedReplica] = set()
        self._signals: list[signal.Signals] = []
        self._roll: asyncio.Task[None] | None = None
        self._checking: asyncio.Future[CheckedFile | WrongFile] | None = None
        self._once_more = False
        self._alive = -1
        self._metrics: GatheredMetrics | None = None
        of = (self.checked, self._start, self.warn, self.restarts, self.command_line.until_idle)
        self._slots = [Slot(index, *of) for index in range(self.count)]

    async def run(self) -> int:
        """Return the exit status: the replicas' highest, or 128 + n after a signal n."""
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            self._alive, kept = os.pipe()
            for descriptor in (self._alive, kept):
                stack.callback(os.close, descriptor)
            for number in self.outside.stop_signals:
                loop.add_signal_handler(number, self._stop, number)
                stack.callback(loop.remove_signal_handler, number)
            if self.outside.hangups is not None:
                stack.enter_context(self.outside.hangups.heard_by(self._hung_up))
            if self.door is not None:
                from .gathered_metrics import GatheredMetrics  # noqa: PLC0415 - a server, which few supervisors do without

                self._metrics = GatheredMetrics(self.door, self._sources, self._count_ready)
                self._metrics.serve(stack, self.report, self.warn)
            stack.callback(asyncio.create_task(self._manager.watch(lambda: True)).cancel)
            statuses = await asyncio.gather(*(slot.keep() for slot in self._slots))
            if self._roll is not None:
                await self._roll
            while self._living:
                await asyncio.wait([replica.end for replica in self._living])
        return SIGNAL_BASE + self._signals[0] if self._signals else max(statuses)

    def _sources(self) -> "Sources":
        """Return where each replica answers: one that is being replaced does, until it ends. For any thread."""
        found: list[tuple[WebAddress | None, str | None]] = [(None, None)] * self.count
        for one in sorted(self._living, key=lambda one: one.began):
            if one.web is not None:
                of = one.checked.settings
                found[one.index] = (one.web, of.get("web_read_token") or of.get("web_token"))
        return found

    def _count_ready(self) -> int:
        return sum(slot.current is not None and slot.current.serves for slot in self._slots)

    # Replicas

    async def _start(
        self, index: int, checked: CheckedFile, replaced: SupervisedReplica | None
    ) -> SupervisedReplica | None:
        line = self.command_line
        try:
            replica = await SupervisedReplica.start(
                line.arguments(),
                line.environment,
                checked,
                index=index,
                alive=self._alive,
                replaced=replaced,
                changed=self._changed,
            )
        except OSError as error:
            self.warn(f"replica {index + 1} cannot be started: {error.strerror}")
            return None
        self._living.add(replica)
        replica.end.add_done_callback(lambda _: self._living.discard(replica))
        self.report(f"replica {index + 1} of {self.count} is process {replica.process.pid}")
        if self._signals:
            replica.ask(len(self._signals))
        return replica

    def _changed(self) -> None:
        """Tell the service manager how many are ready: with the first one, the service is."""
        ready = self._count_ready()
        status = f"{ready} of {self.count} replicas are ready"
        if self._signals or self._roll is not None:
            self._manager.status(status)
        elif ready:
            self._manager.ready(status)

    # Signals

    def _stop(self, number: signal.Signals) -> None:
        self._signals.append(number)
        request = min(len(self._signals), KILLED_AT)
        said = _STEPS[request - 1].format(name=number.name)
        self.report(said)
        self._manager.stopping(said)
        for slot in self._slots:
            slot.stop()
        for replica in self._living:
            replica.ask(request)
        if self._checking is not None:
            self._checking.cancel()

    def _hung_up(self, terminal_closed: bool) -> None:
        if terminal_closed:
            self._stop(signal.SIGHUP)
        elif self._signals:
            self.report("SIGHUP: ignored because the replicas are stopping")
        elif self.command_line.until_idle:
            self.report("SIGHUP: ignored because with --until-idle the replicas exit when they are idle")
        elif self._roll is not None:
            self._once_more = True
            self.report("SIGHUP: the replicas are being replaced; they will be replaced again after that")
        else:
            self._roll = asyncio.create_task(self._roll_all())

    async def _roll_all(self) -> None:
        self._once_more = True
        try:
            while self._once_more and not self._signals:
                self._once_more = False
                await self._roll_once()
        finally:
            self._roll = None

    async def _roll_once(self) -> None:
        """Replace one replica after another, if FILE is right."""
        self._manager.reloading("checking FILE")
        try:
            said = await self._replace_all()
            self.report(said)
        except _NotReplaced as problem:
            said, *more = (f"SIGHUP: {each}" for each in problem.args)
            for each in (said, *more):
                self.warn(each)
        if not self._signals:
            self._manager.ready(said)

    async def _replace_all(self) -> str:
        """Return what came of it; raises `_NotReplaced` if something is wrong."""
        if self.outside.check is None:
            return _GIVEN_UP
        self._checking = asyncio.ensure_future(self.outside.check())
        await asyncio.wait({self._checking})
        if self._checking.cancelled():
            return _GIVEN_UP
        checked, count = self._checking.result(), self.count
        if isinstance(checked, WrongFile):
            raise _NotReplaced(f"no replica was replaced: {checked.problem}", *checked.more)
        for warning in checked.warnings:
            self.warn(f"SIGHUP: {warning}")
        if checked.warnings:
            self.warn("SIGHUP: until the last replica is replaced, both the old and the new run what is due")
        self.report("SIGHUP: FILE is valid; replacing the replicas one by one")
        for done, slot in enumerate(self._slots):
            if (problem := await slot.replace(checked, self.ready_within)) is not None and not self._signals:
                left = "all replicas continue" if done == 0 else f"{done} of {count} are replaced, the others continue"
                raise _NotReplaced(f"the new replica {done + 1} {problem}; {left} as they were")
            if self._signals:
                return _GIVEN_UP
        self.outside.checked = checked
        if self._metrics is not None:
            self._metrics.admit(checked.settings.get("web_token"), checked.settings.get("web_read_token"))
        return f"SIGHUP: all {count} replicas are replaced"
