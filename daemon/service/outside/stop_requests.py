"""The requests to stop a replica: SIGTERM, SIGINT, and the end of its supervisor (rule 19)."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...telemetry.facts import Note, Notify
from ..environment import SUPERVISOR_FD
from .hangups import STOP_SIGNALS, end_at_once

if TYPE_CHECKING:
    from ..replica import Replica


class StopRequests:
    """Passes requests to a replica: the first one drains it, a second signal stops it at once.

    ``begun`` is called when it begins to drain.
    """

    def __init__(
        self,
        replica: "Replica",
        grace: float,
        notify: Notify,
        *,
        begun: Callable[[], None],
        signals: Sequence[signal.Signals] = STOP_SIGNALS,
    ) -> None:
        self.signal: int | None = None
        """The first signal received."""
        self.starts_anew = False
        """It ends in order to start anew in its place."""
        self.stopping = False
        self._begun = begun
        self._replica = replica
        self._grace = grace
        self._notify = notify
        self._signals = signals

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle requests during the block, also while the replica is still starting.

        The first process of a container gets no signal without a handler.
        """
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self.on_signal, number)
        watching = asyncio.ensure_future(self._watch_supervisor())
        try:
            yield
        finally:
            watching.cancel()
            for number in self._signals:
                loop.remove_signal_handler(number)
                if self.starts_anew:  # what comes on the way there must not be lost
                    signal.signal(number, end_at_once)

    def start_anew(self) -> None:
        """Drain; the process then starts anew, unless a signal ends it."""
        self.starts_anew = True
        self._drain()

    def on_signal(self, number: signal.Signals) -> None:
        """Drain at the first signal, and stop the jobs at once at any further one."""
        if self.signal is None:
            self.signal = number
            self.starts_anew = False
            self._drain()
            self._notify(
                Note(
                    f"{number.name}: draining; no more runs are claimed, and running jobs have {self._grace:g}s "
                    "to finish; a second signal stops them at once"
                )
            )
        else:
            self._notify(Note(f"{number.name} again: stopping jobs at once"))
            self._replica.stop_at_once()

    async def _watch_supervisor(self) -> None:
        await supervisor_gone(supervisor_pipe())
        self._drain()
        self._notify(Note("the supervisor is gone: draining"))

    def _drain(self) -> None:
        self.stopping = True
        self._replica.drain()
        self._begun()


def supervisor_pipe() -> int | None:
    """Return the end of the pipe that this replica inherited from its supervisor; None without one.

    The pipe closes when the supervisor ends, even by SIGKILL. The variable is removed from the
    environment: the number means nothing to a child of this process.
    """
    text = os.environ.pop(SUPERVISOR_FD, "")
    if not text.isascii() or not text.isdigit():
        return None
    descriptor = int(text)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return None
    return descriptor


async def supervisor_gone(descriptor: int | None) -> None:
    """Wait until the supervisor has died; without a ``descriptor``, for ever."""
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
