"""What a user does next; the seed of its process decides."""

from dataclasses import dataclass
from random import Random

SHARED = "shared"
"""The lock that two schedules of the daemon share; users take it too."""
OWN = ("users/door", "users/till")
PATIENT = 20.0
"""Seconds for which a user waits who does not give up early."""
PEOPLE = {"anna": "threads", "ben": "main", "carl": "tasks"}
"""Each user, and the kind of client it uses."""
AT_ONCE = 2
"""The threads or tasks of a user."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One visit to a lock."""

    name: str
    wait: float | None
    """As in `hold`; None: for ever."""
    works: float
    """The seconds for which it holds."""
    breaks: bool
    """Whether it breaks the lease of whoever has it, before it waits."""
    haunts: bool
    """Whether it writes once more under the grant that it has released."""
    cut_after: float | None
    """When a task is cancelled, wherever it is then; a thread cannot be."""
    rests: float
    raises: bool
    """Whether its callback of a loss raises."""
    forks: bool
    """Whether its process forks afterwards, if it has threads."""
    bursts: bool
    """Whether it acquires many leases at once afterwards, if it has tasks."""


def draw(chance: Random) -> Plan:
    """Return the next plan."""
    return Plan(
        name=chance.choices((*OWN, SHARED), (5, 5, 1))[0],
        wait=chance.choice((None, PATIENT, PATIENT, chance.uniform(0.02, 0.5), 0.0)),
        works=chance.choice((0.0, chance.uniform(0, 0.1), chance.uniform(0, 0.8))),
        breaks=chance.random() < 0.08,
        haunts=chance.random() < 0.3,
        cut_after=chance.uniform(0, 1.0) if chance.random() < 0.3 else None,
        rests=chance.uniform(0.1, 0.9),
        raises=chance.random() < 0.3,
        forks=chance.random() < 0.05,
        bursts=chance.random() < 0.05,
    )
