"""The supervisor of `--replicas N`: it keeps N replicas running, and replaces them on SIGHUP."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from ...web.address import WebAddress
from ...web.door import Door
from ..outside.file_check import CheckedFile, CommandLine, WrongFile
from ..outside.hangups import SIGNAL_BASE
from ..outside.outside import Outside
from .supervised_replica import KILLED_AT, Restarts, Slot, SupervisedReplica

if TYPE_CHECKING:
    from .gathered_metrics import GatheredMetrics, Sources

READY_WITHIN = 60.0
"""Seconds in which a new replica must be ready to claim, or the old ones go on."""
_STEPS = (
    "{name}: draining the replicas; they claim no more runs and let running jobs finish",
    "{name} again: stopping the replicas at once",
    "{name} a third time: killing the replicas",
)
_GIVEN_UP = "SIGHUP: abandoned because the replicas are stopping"


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
        try:
            await self._roll_once()
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
