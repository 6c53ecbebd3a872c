"""What tells a replica to stop: SIGTERM and SIGINT, and the end of its supervisor (rule 19)."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ..telemetry.facts import Note, Notify
from .environment import SUPERVISOR_FD
from .replica import Replica

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequests:
    """Passes requests to stop on to a replica: the first one drains it, a second signal stops its jobs at once."""

    def __init__(self, replica: Replica, grace: float, notify: Notify) -> None:
        self.signal: int | None = None
        """The first signal that came."""
        self._replica = replica
        self._grace = grace
        self._notify = notify

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take them during the block. A replica on its way up drains too; the first process of a container would hear none."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        watching = asyncio.ensure_future(self._watch_supervisor())
        try:
            yield
        finally:
            watching.cancel()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self.signal is None:
            self.signal = number
            self._notify(
                Note(
                    f"{number.name}: claiming nothing more, and letting jobs finish for up to {self._grace:g}s; "
                    "a second signal stops them at once"
                )
            )
            self._replica.drain()
        else:
            self._notify(Note(f"{number.name} again: stopping jobs at once"))
            self._replica.stop_at_once()

    async def _watch_supervisor(self) -> None:
        await supervisor_gone(supervisor_pipe())
        self._notify(Note("the supervisor is gone: draining"))
        self._replica.drain()


def supervisor_pipe() -> int | None:
    """Return the end of the pipe that this replica inherited from its supervisor; None when nobody supervises it.

    The pipe ends when the supervisor does, SIGKILL included. The variable is taken out of the environment: the number
    means nothing to a child of this process.
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
    """Return once the supervisor has died; with no ``descriptor``, never."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    if descriptor is None:
        await gone.wait()
        return
    loop.add_reader(descriptor, gone.set)  # nothing is ever written: readable means ended
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
