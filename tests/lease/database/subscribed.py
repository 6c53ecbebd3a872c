"""What one waiter hears, for tests of listeners."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from lease.database.listening.releases import ReleaseListener, Subscription


@contextmanager
def subscribed(listener: ReleaseListener, name: str, holder: str) -> Iterator[Subscription]:
    """Subscribe during the block."""
    with closing(listener.waiting(name, holder)) as subscription:
        yield subscription
