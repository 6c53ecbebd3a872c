"""One seed from beginning to end: a time of faults, then a time without, then all go home."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

from tests.checker import Bounds, check
from tests.checker.facts import FencedWriteRefused, GrantBegan, GrantRenewed, Written

from .client import Client
from .database import Database
from .faults import STOPS, Fault, Kind, conditions, plan
from .machine import Machine
from .watchman import Watchman
from .worker import Signs, Worker
from .world import Broken, World

_TURNS = 12
"""How many times the ttl the faults go on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to."""

    seed: int
    steps: int
    seconds: float
    """Of the true time in the simulation."""
    counts: dict[str, int]
    broken: str | None
    trace: tuple[str, ...]

    def __str__(self) -> str:
        said = f"seed {self.seed} breaks: {self.broken}" if self.broken else f"seed {self.seed} keeps every promise"
        again = f"python -m tests.model.simulation --seed {self.seed}"
        return "\n".join([*(self.trace if self.broken else ()), said, *([f"again: {again}"] if self.broken else ())])


class Trial:
    """Puts a world together."""

    def __init__(self, seed: int, *, trace: int = 60) -> None:
        self._seed = seed
        self._world = world = World(seed)
        world.told = type(world.told)(maxlen=trace)
        self._random = Random(seed + 1)
        self.given = conditions(self._random)
        world.slowest = 0.002 * self.given.timing.attempt_timeout
        self._calm = world() + _TURNS * self.given.timing.ttl
        self._database = Database(world)
        self._watchman = Watchman(world, self._database, self.given)
        self._signs = Signs(self._database.seized)
        self._workers: list[tuple[Client, Worker]] = []
        self._names = ["a", "b", "c"][: self._random.randint(1, 3)]
        for number in range(self._random.randint(2, 4)):
            self._prepare(f"client{number}")
        for _ in range(self._random.randint(0, 4)):
            world.at(self._random.uniform(world(), self._calm), self._database.settle)
        if self._random.random() < 0.3:
            world.at(self._random.uniform(world(), self._calm), self._database.seize)

    def run(self) -> Outcome:
        """Run it to its end, or until something breaks."""
        world, broken = self._world, None
        began = world()
        try:
            self._run()
        except Broken as what:
            broken = str(what)
        steps, seconds = world.steps, world() - began
        for machine in world.machines:
            machine.loop.dismantle()
        kinds = (GrantBegan, GrantRenewed, Written, FencedWriteRefused)
        counts = {kind.__name__: sum(isinstance(fact, kind) for fact in self._database.facts) for kind in kinds}
        trace = tuple(f"{at:12.6f} {who:12} {what}" for at, who, what in world.told)
        return Outcome(self._seed, steps, seconds, {**counts, "Lost": self._watchman.losses}, broken, trace)

    def _run(self) -> None:
        world, timing = self._world, self.given.timing
        turns = len(self._workers) * len(self._names)
        bound = (turns + 4) * 2.0 * timing.ttl
        world.run(self._calm)
        if not world.run(self._calm + bound, self._all_gone):
            waiting = [f"{client.name} for {worker.waits_for}" for client, worker in self._workers if worker.waits_for]
            raise Broken(f"{bound:.1f} s after the last fault, there is no end: {', '.join(waiting)} waits still")
        world.run(world() + 4 * timing.ttl)  # what was under way arrives, and what nobody ends goes stale
        self._watchman.at_the_end(self._watchman.clients)
        history = [*self._database.history(), *self._signs.facts()]
        for violation in check(history, Bounds(tolerance=timedelta(microseconds=3))):
            raise Broken(str(violation))

    def _all_gone(self) -> bool:
        return all(client.closed or not client.machine.alive for client in self._watchman.clients)

    def _prepare(self, name: str) -> None:
        rate = self._random.choice([1.0, self._random.uniform(self.given.slowest_rate, self.given.quickest_rate)])
        faults = plan(self._random, self.given, rate, self._world(), self._calm)
        self._start(name, rate, 1, faults)

    def _start(self, name: str, rate: float, incarnation: int, faults: list[Fault]) -> None:
        world, own = self._world, f"{name}.{incarnation}"

        offset = self._random.uniform(0, 1e5)
        machine = Machine(own, world, rate, offset, lambda what: world.blame(f"{own}: {what}"))
        crash = next((fault for fault in faults if fault.kind is Kind.CRASHED), None)
        mine = faults if crash is None else faults[: faults.index(crash)]
        client = Client(world, machine, self._database, self.given, mine, heard=self._watchman.heard)
        world.machines.append(machine)
        self._watchman.clients.append(client)
        workers = [
            Worker(self._random, self._names, self._signs, self._calm) for _ in range(self._random.randint(1, 2))
        ]
        self._workers += [(client, worker) for worker in workers]
        client.start(workers)
        world.tell(own, f"starts with a clock of rate {rate:.4f} and {len(mine)} faults ahead")
        for fault in mine:
            if fault.kind in STOPS:
                world.at(fault.began, partial(machine.stop, when_it_sends=self._random.random() < 0.5))
                world.at(fault.ended, partial(machine.go_on, asleep=fault.kind is Kind.ASLEEP))
            world.at(fault.began, partial(world.tell, own, fault))
        if crash is not None:
            rest = faults[faults.index(crash) + 1 :]
            world.at(crash.began, lambda: self._crash(client))
            world.at(crash.ended, lambda: self._start(name, rate, incarnation + 1, rest))

    def _crash(self, client: Client) -> None:
        self._world.tell(client.name, "crashes")
        client.machine.crash()
        self._workers = [(one, worker) for one, worker in self._workers if one is not client]
