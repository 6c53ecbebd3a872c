"""A lock that schedules share, and the leases of its slots (rule 14)."""

from typing import NamedTuple


class SharedLock(NamedTuple):
    """A lock that schedules share: at most ``slots`` runs are under it at once."""

    name: str
    slots: int = 1

    @property
    def leases(self) -> tuple[str, ...]:
        """The names of its leases, one of each slot. The first is that of a lock with one slot."""
        return self.name, *(f"{self.name}/{slot}" for slot in range(2, self.slots + 1))

    def __str__(self) -> str:
        return f'"{self.name}"' if self.slots == 1 else f'"{self.name}" with {self.slots} slots'
