"""The turns of one client's tasks and threads at a name: one at a time, in the order in which they
came, with no database in between.

There is no lock here. A signal's handler may stop a program's thread anywhere, and wait there for the library's thread;
a lock that the one had would hold up the other, and every heartbeat. Instead each thread does its part in single steps
on a dictionary, and looks afterwards whether that met another thread's.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass

from .threads import drop


@dataclass(frozen=True, slots=True, eq=False)
class LocalTurn:
    """The turn of ``owner``, a task or a thread, at a name; equal to itself alone."""

    name: str
    owner: Hashable


_Queue = OrderedDict[LocalTurn, "asyncio.Future[None]"]
_NOBODY: _Queue = OrderedDict()


class Turns:
    """The turns at each name, the one that goes on and those that are waited for.

    `take_now` and `end` may be called from any thread, and be cut short there by a signal; `end` puts
    right what was left then, and does nothing the second time. Whoever waits does so in the library's
    event loop, where all else happens.
    """

    def __init__(self) -> None:
        self._current: dict[str, LocalTurn] = {}
        self._queues: dict[str, _Queue] = {}
        self._loop: asyncio.AbstractEventLoop  # set before anybody waits

    def owner(self, name: str) -> Hashable | None:
        turn = self._current.get(name)
        return None if turn is None else turn.owner

    def has(self, turn: LocalTurn) -> bool:
        return self._current.get(turn.name) is turn

    def take_now(self, turn: LocalTurn) -> bool:
        """Begin ``turn``, unless another one goes on, or is waited for."""
        if self._current.setdefault(turn.name, turn) is not turn:
            return False
        if turn.name in self._queues:
            self.end(turn)
            return False
        return True

    async def take(self, turn: LocalTurn, seconds: float | None) -> bool:
        """Wait at most ``seconds`` (None: for ever) until ``turn`` begins; False when it did not."""
        if self.take_now(turn):
            return True
        self._loop = asyncio.get_running_loop()
        begun = self._loop.create_future()
        self._queues.setdefault(turn.name, OrderedDict())[turn] = begun
        self._pass_on(turn.name)  # whoever ended a turn since has not seen the queue
        try:
            async with asyncio.timeout(seconds):
                await begun
        except BaseException as error:
            self._leave(turn)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def end(self, turn: LocalTurn) -> None:
        """End ``turn``, if it is on: the next begins."""
        drop(self._current, turn.name, turn)  # and no other: another thread may end it too, and a third begin its own
        if turn.name in self._queues:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits in it any more
                self._loop.call_soon_threadsafe(self._pass_on, turn.name)

    # In the library's event loop

    def _pass_on(self, name: str) -> None:
        """Let the first who waits for ``name`` begin, if nobody has the turn."""
        queue = self._queues.get(name, _NOBODY)
        while queue:
            turn, begun = next(iter(queue.items()))
            if not begun.done() and self._current.setdefault(name, turn) is not turn:
                return
            del queue[turn]
            if not begun.done():
                begun.set_result(None)
                break
        if not queue:
            self._queues.pop(name, None)

    def _leave(self, turn: LocalTurn) -> None:
        """Wait no more; the turn may have come just now. Thousands may leave at once: each in one step."""
        queue = self._queues.get(turn.name, _NOBODY)
        if queue.pop(turn, None) is not None and not queue:
            self._queues.pop(turn.name, None)
        self.end(turn)
