"""The break of a lease that somebody else holds."""

from dataclasses import dataclass
from functools import partial

from .errors import LeaseError
from .model import DAEMON, Break, Grant, LeaseRecord, check_line, check_name, is_mark
from .retrying import retried
from .store import Store
from .timing import LeaseTiming

_LONGEST = 1_000
"""Characters of a reason, or of who gives it."""
_TURNS = 3
"""How often a lease may change hands while it is being broken."""


@dataclass(frozen=True)
class Breaker:
    """Breaks leases for one holder."""

    store: Store
    timing: LeaseTiming
    holder: str

    async def break_lease(self, name: str, reason: str, by: str) -> Break:
        """Break the grant in force under ``name``; a break that is there already stays as it is.

        `LeaseError` says that there is nothing to break, that the lease is this client's own or the
        daemon's, or that an open transaction is fenced with it.
        """
        _check(name, reason, by)
        for _ in range(_TURNS):
            found = self._breakable(name, await retried(lambda: self.store.read(name), self.timing))
            if isinstance(found, Break):
                return found
            made = await retried(partial(self.store.break_grant, found, by, reason), self.timing)
            if made is not None:
                return made
        raise LeaseError(f"lease {name!r} has changed hands {_TURNS} times while it was being broken; try again")

    def _breakable(self, name: str, record: LeaseRecord | None) -> Grant | Break:
        """Return what is to be broken, or the break that is there."""
        if record is None or record.grant is None:
            raise LeaseError(f"lease {name!r} is free: there is nothing to break")
        if record.broken is not None and is_mark(record.holder):
            return record.broken
        if record.holder == self.holder:
            raise LeaseError(f"lease {name!r} is held by this client itself: release it instead")
        return record.grant


def _check(name: str, reason: str, by: str) -> None:
    if check_name(name).startswith(DAEMON):
        raise LeaseError(f"lease {name!r} belongs to the daemon and cannot be broken: cancel the run instead")
    check_line("reason of a break", reason, _LONGEST)
    check_line("name of who breaks a lease", by, _LONGEST)
