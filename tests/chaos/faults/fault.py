"""What a fault is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ..fleet import Fleet, Slot
from ..site import Site


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault is done to."""

    site: Site
    fleet: Fleet


class Fault(ABC):
    """One kind of fault. `start` does it, and tells whether there was something to do it to; `stop` undoes it."""

    kind: ClassVar[str]
    longest: ClassVar[float] = 5.0
    """Seconds that it may last."""
    shortest: ClassVar[float] = 0.1
    outage: ClassVar[bool] = False
    """Nobody can recover anything while it lasts."""

    costs_leases: ClassVar[bool] = False
    """A replica may lose its leases by it; a loss without such a fault is a false one."""

    reaches: ClassVar[str | None] = None
    """The one slot that feels it, of a fault of the database; None: all do."""
    since: float | None = None
    until: float | None = None
    """When it began and ended to be felt, by the clock of the diaries, where that is not all of its time."""
    effective = True
    """Set to False where it turns out that nothing came of it."""

    def __init__(self, scene: Scene, chance: Random) -> None:
        self.scene = scene
        self.chance = chance

    @abstractmethod
    def start(self) -> bool:
        """Do it; False when there was nothing to do it to."""

    @abstractmethod
    def stop(self) -> None:
        """Undo it, and return once what it was done to is up again."""


class SlotFault(Fault):
    """A fault of one replica, its processes or its way to the database."""

    def __init__(self, scene: Scene, chance: Random, slot: Slot) -> None:
        super().__init__(scene, chance)
        self.slot = slot

    @classmethod
    def fits(cls, scene: Scene, slot: Slot) -> bool:
        """Tell whether it can be done to this slot at all."""
        del scene, slot
        return True


class SiteFault(Fault):
    """A fault of the database itself."""

    @classmethod
    def possible(cls, scene: Scene) -> bool:
        """Tell whether it can be done here."""
        del scene
        return True
