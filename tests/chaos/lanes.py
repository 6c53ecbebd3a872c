"""The seeded order of faults: two lanes for replicas, never the same one, one for the users of locks,
one for the database.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from .diary import boottime
from .faults.catalogue import SITE_FAULTS, SLOT_FAULTS, USER_FAULTS
from .faults.fault import Fault, Scene, SlotFault
from .fleet import Slot


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come."""

    fault: type[Fault]
    slot: Slot | None
    lasts: float
    gap: float
    """The seconds without a fault of this lane after it."""


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was inflicted."""

    kind: str
    slot: str | None
    began: float
    ended: float
    """By the clock of the diaries."""
    outage: bool
    costs_leases: bool


def slot_faults(seed: int, lane: int, scene: Scene, slots: Sequence[Slot]) -> Iterator[Planned]:
    """Yield the faults of a lane for replicas, endlessly; the seed and the machine decide them."""
    return _faults(Random(f"{seed}/replicas/{lane}"), SLOT_FAULTS, scene, slots, rests=(0.4, 1.6))


def user_faults(seed: int, scene: Scene, slots: Sequence[Slot]) -> Iterator[Planned]:
    """Yield the faults of those who use locks beside the daemon, endlessly."""
    return _faults(Random(f"{seed}/users"), USER_FAULTS, scene, slots, rests=(1.0, 4.0))


def _faults(
    chance: Random,
    catalogue: Mapping[type[SlotFault], int],
    scene: Scene,
    slots: Sequence[Slot],
    rests: tuple[float, float],
) -> Iterator[Planned]:
    while True:
        slot = chance.choice(list(slots))
        fitting = {kind: weight for kind, weight in catalogue.items() if kind.fits(scene, slot)}
        (kind,) = chance.choices(list(fitting), list(fitting.values()))
        yield Planned(kind, slot, _lasts(kind, chance), chance.uniform(*rests))


def site_faults(seed: int, scene: Scene) -> Iterator[Planned]:
    """Yield the faults of the database, without end."""
    chance = Random(f"{seed}/database")
    possible = {kind: weight for kind, weight in SITE_FAULTS.items() if kind.possible(scene)}
    while True:
        (kind,) = chance.choices(list(possible), list(possible.values()))
        yield Planned(kind, None, _lasts(kind, chance), chance.uniform(1.0, 4.0))


def _lasts(kind: type[Fault], chance: Random) -> float:
    return chance.uniform(kind.shortest, kind.longest)


class Lane:
    """Inflicts one fault after the other on its own thread; an error in one ends the campaign."""

    def __init__(self, name: str, seed: int, scene: Scene, plan: Iterator[Planned], done: list[Done]) -> None:
        self.error: BaseException | None = None
        self._chance = Random(f"{seed}/{name}/targets")
        self._scene = scene
        self._plan = plan
        self._done = done
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Finish the current fault, and inflict no more."""
        self._end.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            for planned in self._plan:
                if self._end.is_set():
                    return
                self._do(planned)
                self._end.wait(planned.gap)
        except BaseException as error:  # noqa: BLE001 - the campaign raises it
            self.error = error

    def _do(self, planned: Planned) -> None:
        if planned.slot is None:
            self._inflict(planned, planned.fault(self._scene, self._chance))
            return
        with planned.slot.busy:
            # A plan with a slot is that of a SlotFault, which takes it; the type does not show it.
            self._inflict(planned, planned.fault(self._scene, self._chance, planned.slot))  # type: ignore[call-arg]

    def _inflict(self, planned: Planned, fault: Fault) -> None:
        began = boottime()
        try:
            happened = fault.start()
        except BaseException:
            with suppress(Exception):  # what went wrong first matters more
                fault.stop()
            raise
        if happened:
            self._end.wait(planned.lasts)
        fault.stop()
        if happened and fault.effective:
            slot = planned.slot.name if planned.slot is not None else fault.reaches
            began, ended = fault.since or began, fault.until or boottime()
            self._done.append(Done(fault.kind, slot, began, ended, fault.outage, fault.costs_leases))
