"""Acquisitions in the library's own event loop, for tests that have a core and no client; and releases, step by step."""

from lease.calls import acquiring
from lease.calls.releasing import ReleaseUnderWay
from lease.core import Core, Ticket
from lease.errors import LeaseError
from lease.grant_state import GrantState
from lease.handle import Handle


async def acquire_inside(core: Core, ticket: Ticket) -> GrantState:
    """Acquire it, or raise what it is refused with."""
    acquired = await acquiring.acquire_inside(core, ticket)
    if isinstance(acquired, LeaseError):
        raise acquired
    return acquired


def release_of(held: Handle) -> ReleaseUnderWay:
    """Return a release of ``held`` that has not begun."""
    return ReleaseUnderWay(held._runtime.means, held._known, held._fenced)
