"""The turns of one client's tasks and threads at a name: one at a time, in the order in which they
came, with no database in between.
"""

import asyncio
from collections import deque
from collections.abc import Hashable


class Turns:
    """Who of this client has the turn at each name, and who waits for it. Use it in one event loop."""

    def __init__(self) -> None:
        self._owners: dict[str, Hashable] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    def owner(self, name: str) -> Hashable | None:
        """Return who has the turn at ``name``."""
        return self._owners.get(name)

    async def take(self, name: str, owner: Hashable, seconds: float | None) -> bool:
        """Wait at most ``seconds`` (None: for ever) for the turn at ``name``; False when it did not
        come.
        """
        if name not in self._owners:
            self._owners[name] = owner
            return True
        if seconds is not None and seconds <= 0:
            return False
        queue = self._queues.setdefault(name, deque())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError:
            self._leave(name, turn)
            return False
        except BaseException:
            self._leave(name, turn)
            raise
        self._owners[name] = owner
        return True

    def end(self, name: str) -> None:
        """End the turn at ``name``: the next begins."""
        queue = self._queues.get(name, deque())
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._queues.pop(name, None)
        self._owners.pop(name, None)

    def _leave(self, name: str, turn: "asyncio.Future[None]") -> None:
        if turn.done() and not turn.cancelled():
            self.end(name)  # it came just as its owner left
        elif turn in (queue := self._queues.get(name, deque())):
            queue.remove(turn)
