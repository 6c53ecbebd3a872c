"""The capacity of a database's own connections or threads, and those who wait for it."""

import asyncio
from collections import OrderedDict

_AT_ONCE = 50
"""How many are told at one time that they wait in vain; a heartbeat may run in the same event loop."""


class Capacity:
    """A few connections or threads, for users in one event loop: they wait in the order in which they came, those who go
    ``first`` before the others.

    A wait is no part of an attempt (rule 3): it lasts for as long as it takes, while the database answers
    anybody. It ends with a `TimeoutError` when that has been silent for ``silence`` seconds.
    """

    def __init__(self, number: int, silence: float, before: "Capacity | None" = None) -> None:
        """``before``: of the same database, which knows when that last answered."""
        self._before = before
        self.last_answer = 0.0
        """When the database last answered anybody, by the event loop's clock."""
        self._free = number
        self._silence = silence
        self._first: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._others: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._watched = False

    async def take(self, *, first: bool = False) -> None:
        """Take a place, for which `give_back` is called once."""
        if self._free > 0:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        queue = self._first if first else self._others
        queue[place] = None
        self._watch()
        try:
            await place
        except BaseException:
            queue.pop(place, None)
            if place.done() and not place.cancelled() and place.exception() is None:
                self.give_back()  # it came at the very moment in which its user was cancelled
            raise

    def give_back(self) -> None:
        for queue in (self._first, self._others):
            while queue:
                place, _ = queue.popitem(last=False)
                if not place.done():
                    place.set_result(None)
                    return
        self._free += 1

    def answered(self) -> None:
        """Take note that the database has answered somebody."""
        (self._before or self).last_answer = asyncio.get_running_loop().time()

    def _watch(self) -> None:
        """See to it that nobody waits for long for a database that is silent."""
        if not self._watched:
            self._watched = True
            asyncio.get_running_loop().call_later(self._silence, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._first and not self._others:
            self._watched = False
        elif (left := (self._before or self).last_answer + self._silence - loop.time()) > 0:
            loop.call_later(left, self._look)
        else:
            self._refuse(len(self._first) + len(self._others))

    def _refuse(self, number: int) -> None:
        """Refuse so many of those who wait, a few at a time; who comes meanwhile waits for the next look."""
        for _ in range(min(number, _AT_ONCE)):
            queue = self._first or self._others
            if not queue:
                break
            place, _ = queue.popitem(last=False)
            if not place.done():
                place.set_exception(TimeoutError(f"no answer within {self._silence:g}s"))
        if number > _AT_ONCE:
            asyncio.get_running_loop().call_soon(self._refuse, number - _AT_ONCE)
        else:
            self._watched = False
            if self._first or self._others:
                self._watch()
