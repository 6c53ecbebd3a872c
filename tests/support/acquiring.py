"""An acquisition in the library's own event loop, for tests that have a core and no client."""

from lease.calls import acquiring
from lease.core import Core, Ticket
from lease.errors import LeaseError
from lease.grant_state import GrantState


async def acquire_inside(core: Core, ticket: Ticket, wait: float | None) -> GrantState:
    """Acquire it, or raise what it is refused with."""
    acquired = await acquiring.acquire_inside(core, ticket, wait)
    if isinstance(acquired, LeaseError):
        raise acquired
    return acquired
