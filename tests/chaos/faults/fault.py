"""The interface of faults."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ..fleet import Fleet, Slot
from ..site import Site


@dataclass(frozen=True, slots=True)
class Scene:
    """The target of a fault."""

    site: Site
    fleet: Fleet


class Fault(ABC):
    """A kind of fault: `start` returns whether there was a target; `stop` undoes it."""

    kind: ClassVar[str]
    on: ClassVar[type] = object
    """The class of the sites on which it can be inflicted."""
    longest: ClassVar[float] = 5.0
    """The seconds that it may last."""
    shortest: ClassVar[float] = 0.1
    outage: ClassVar[bool] = False
    """Whether no replica can recover anything while it lasts."""

    costs_leases: ClassVar[bool] = False
    """Whether it may cost a replica its leases; a loss without such a fault is false."""

    reaches: ClassVar[str | None] = None
    """The only slot that a fault of the database affects; None: it affects all."""
    since: float | None = None
    until: float | None = None
    """When its effect began and ended, by the clock of the diaries, if not for its whole time."""
    effective = True
    """Set to False if it turns out to have had no effect."""

    def __init__(self, scene: Scene, chance: Random) -> None:
        self.scene = scene
        self.chance = chance

    @abstractmethod
    def start(self) -> bool:
        """Inflict the fault; return False if there was no target."""

    def stop(self) -> None:  # noqa: B027 - what is over at once leaves nothing to undo
        """Undo the fault, and return once its target is up again."""


class SlotFault(Fault):
    """A fault of one replica, its processes or its connection to the database."""

    supervised: ClassVar[bool | None] = None
    """Whether its slot must have a supervisor, or none."""

    def __init__(self, scene: Scene, chance: Random, slot: Slot) -> None:
        super().__init__(scene, chance)
        self.slot = slot

    @classmethod
    def fits(cls, scene: Scene, slot: Slot) -> bool:
        """Return whether it can be inflicted on this slot."""
        return isinstance(scene.site, cls.on) and cls.supervised in (None, slot.supervised)


class SiteFault(Fault):
    """A fault of the database itself."""

    @classmethod
    def possible(cls, scene: Scene) -> bool:
        """Return whether it can be inflicted here."""
        return isinstance(scene.site, cls.on)
