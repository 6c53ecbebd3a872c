"""The requests to stop a replica: SIGTERM, SIGINT, and the end of its supervisor (rule 19); and the answer of a lone one to
SIGHUP: it checks FILE, drains, and starts anew in its place.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ...telemetry.facts import Note, Notify
from ..environment import SUPERVISOR_FD
from .file_check import WrongFile
from .outside import Outside, end_at_once, inherited_descriptor

if TYPE_CHECKING:
    from ..replica import Replica


class StopRequests:
    """Passes requests to a replica: the first one drains it, a second signal stops it at once. SIGHUP becomes one of: a
    note that says why nothing happens, a start anew, an end.

    ``begun`` is called when it begins to drain.
    """

    def __init__(
        self,
        replica: "Replica",
        grace: float,
        outside: Outside,
        notify: Notify,
        *,
        begun: Callable[[], None],
        until_idle: bool = False,
    ) -> None:
        self.signal: int | None = None
        """The first signal received."""
        self.starts_anew = False
        """It ends in order to start anew in its place."""
        self.stopping = False
        self._replica, self._grace, self._outside, self._notify = replica, grace, outside, notify
        self._begun, self._until_idle = begun, until_idle
        self._hung_up = self._has_joined = False
        self._reloading: asyncio.Task[None] | None = None

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle requests during the block, also while the replica is still starting; until `joined`, SIGHUP is only
        kept. The first process of a container gets no signal without a handler.
        """
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            for number in self._outside.stop_signals:
                loop.add_signal_handler(number, self.on_signal, number)
                stack.callback(self._let_go, number)
            stack.callback(asyncio.ensure_future(self._watch_supervisor()).cancel)
            if self._outside.hangups is not None:
                stack.callback(lambda: self._reloading and self._reloading.cancel())
                stack.enter_context(self._outside.hangups.heard_by(self._hang_up))
            yield

    def _let_go(self, number: signal.Signals) -> None:
        asyncio.get_running_loop().remove_signal_handler(number)
        if self.starts_anew:  # what comes on the way there must not be lost
            signal.signal(number, end_at_once)

    def on_signal(self, number: signal.Signals) -> None:
        """Drain at the first signal, and stop the jobs at once at any further one."""
        if self.signal is None:
            self.signal = number
            self.starts_anew = False
            self._drain()
            said = (
                f"{number.name}: draining; no more runs are claimed, and running jobs have {self._grace:g}s "
                "to finish; a second signal stops them at once"
            )
            self._notify(Note(said))
        else:
            self._notify(Note(f"{number.name} again: stopping jobs at once"))
            self._replica.stop_at_once()

    async def _watch_supervisor(self) -> None:
        await supervisor_gone(inherited_descriptor(os.environ, SUPERVISOR_FD))
        self._drain()
        self._notify(Note("the supervisor is gone: draining"))

    def _drain(self) -> None:
        self.stopping = True
        self._replica.drain()
        self._begun()
        if not self.starts_anew:
            self._outside.manager.stopping("draining")

    # SIGHUP

    def joined(self) -> None:
        """Note that the replica has started: it may drain now."""
        self._has_joined = True
        if self._hung_up and not self.stopping:
            self._begin_to_reload()

    def _hang_up(self, terminal_closed: bool) -> None:
        if terminal_closed:
            self.on_signal(signal.SIGHUP)
        elif self._outside.link.is_supervised:
            self._say("ignored; send it to the supervisor, which replaces its replicas one by one")
        elif self.stopping:
            self._say("ignored because this replica is already stopping")
        elif self._until_idle:
            self._say("ignored because with --until-idle the replica exits when it is idle")
        else:
            self._hung_up = True
            if self._has_joined:
                self._begin_to_reload()

    def _begin_to_reload(self) -> None:
        if self._reloading is None:
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        """Check FILE until no further SIGHUP came meanwhile; then drain, or say what is wrong."""
        check, manager = self._outside.check, self._outside.manager
        while self._hung_up and check is not None:
            self._hung_up = False
            manager.reloading("checking FILE")
            checked = await check()
            if self._hung_up or self.stopping:
                continue
            if isinstance(checked, WrongFile):
                for problem in (f"this replica continues unchanged: {checked.problem}", *checked.more):
                    self._say(problem, is_warning=True)
                manager.ready("FILE was not reloaded because it has an error")
            else:
                for warning in checked.warnings:
                    self._say(warning, is_warning=True)
                self._say("FILE is valid; draining, then restarting with it")
                self.starts_anew = True
                self._drain()
        self._reloading = None

    def _say(self, what: str, *, is_warning: bool = False) -> None:
        self._notify(Note(f"SIGHUP: {what}", is_warning))


async def supervisor_gone(descriptor: int | None) -> None:
    """Wait until the supervisor has ended, even by SIGKILL: that closes this pipe. Without a pipe, for ever."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    if descriptor is None:
        await gone.wait()
        return
    loop.add_reader(descriptor, gone.set)  # nothing is ever written: readable means closed
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
