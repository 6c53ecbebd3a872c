"""What the metrics are made of: what a replica knows of itself, and what it last read of the fleet."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ...store.views.fleet import Fleet
from ...telemetry.measures import Measures
from ..health import Loops
from .schedules import ScheduleValues


@dataclass(frozen=True, slots=True)
class Own:
    """The replica that the metrics are of."""

    application: str
    schedules: Collection[str]
    """The names of those that it defines."""
    holder: str
    version: str
    revision: int | None
    database: str
    """Its kind."""
    python: str
    measures: Measures
    loops: Loops
    held: Callable[[], int]
    """How many leases of runs it holds."""


@dataclass(frozen=True, slots=True)
class ReadFleet:
    """What was last read of the fleet."""

    fleet: Fleet
    schedules: Sequence[ScheduleValues]
    offset: float
    """The database's clock minus this machine's, in seconds."""
    age: float
