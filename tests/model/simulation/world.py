"""The true time, what happens in it, and whose turn it is."""

import heapq
from collections import deque
from collections.abc import Callable
from random import Random

from lease.testing import ManualClock

from .machine import Machine

_MOST_STEPS = 100_000
"""A trial takes some thousands; one that never ends runs in a circle."""
_SLOWNESS = 0.05
"""How often time passes although somebody could run: processors are not infinitely fast."""


class Broken(AssertionError):
    """Something that must hold does not."""


class World(ManualClock):
    """The clock that it is shows the true time, which is the database's."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.machines: list[Machine] = []
        self.slowest = 0.001
        """The most seconds that pass before a handle that could run."""
        self.steps = 0
        self.told: deque[tuple[float, str, object]] = deque(maxlen=200)
        self.before_step: Callable[[Machine], None] = lambda _: None
        self.after_step: Callable[[Machine], None] = lambda _: None
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0
        self._blamed: str | None = None

    def blame(self, what: str) -> None:
        """Say that something is broken, from where an exception would be caught: asyncio and the core catch theirs."""
        self._blamed = self._blamed or what

    def at(self, when: float, happens: Callable[[], object]) -> None:
        """Let something happen then."""
        self._number += 1
        heapq.heappush(self._agenda, (max(when, self()), self._number, happens))

    def tell(self, who: str, what: object) -> None:
        """Keep for the trace."""
        self.told.append((self(), who, what))

    def tick(self) -> float:
        """Return a time that nothing else has happened at."""
        self.advance(2e-6)
        return self()

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Go on until ``done()``, or until that time; tell whether it is done."""
        while not done():
            if self() >= until:
                return False
            self._go_on(until)
            if self.steps > _MOST_STEPS:
                raise Broken("there is no end to the steps: somebody runs in a circle")
            if self._blamed is not None:
                raise Broken(self._blamed)
        return True

    def _go_on(self, until: float) -> None:
        able = [machine for machine in self.machines if machine.able()]
        if not able:
            self._pass_to(min(self._next(), until))
            return
        if self.random.random() < _SLOWNESS:
            self._pass_to(min(self() + self.random.random() * self.slowest, until))
        machine = able[self.random.randrange(len(able))] if len(able) > 1 else able[0]
        if machine.able():  # what happened meanwhile may have stopped it
            self.steps += 1
            self.before_step(machine)
            machine.loop.step()
            self.after_step(machine)

    def _next(self) -> float:
        timers = [timer for machine in self.machines if (timer := machine.next_timer()) is not None]
        return min([*timers, *(when for when, _, _ in self._agenda[:1])], default=float("inf"))

    def _pass_to(self, moment: float) -> None:
        while self._agenda and self._agenda[0][0] <= moment:
            when, _, happens = heapq.heappop(self._agenda)
            self.advance(max(0.0, when - self()))
            happens()
        self.advance(max(0.0, moment - self()))
