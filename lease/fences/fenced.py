"""The transactions that a lease has fenced, for the release that waits for them.

A transaction that the releasing thread or task itself has open cannot end while that waits: as where
`hold` stands inside ``engine.begin()``.
"""

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..database.foreign import is_in_transaction
from ..errors import LeaseError
from ..model import Grant
from ..threads import caller

if TYPE_CHECKING:
    import asyncio
    import threading

PATIENCE = 0.5
"""Seconds after which a release that may wait for its own thread's transaction is told to do so. It
may be another one on the same connection, which is not fenced; then the release is done by then.
"""


class FencedTransactions:
    """Of one lease; the connections are remembered weakly."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def remember(self, connection: Any) -> None:
        """Remember a connection whose transaction this thread, or task, has fenced."""
        self._known = {key: known for key, known in self._known.items() if known.connection() is not None}
        self._known[id(connection)] = _Known(weakref.ref(connection), caller())

    def may_wait_for_itself(self) -> bool:
        """Return whether this thread, or task, has a transaction open on a connection that it
        fenced.
        """
        here = caller()
        return any(known.caller == here and known.is_open() for known in self._known.values())


@dataclass(frozen=True, slots=True)
class _Known:
    connection: "weakref.ref[Any]"  # not as a key: Django's has no hash
    caller: "weakref.ref[asyncio.Task[Any] | threading.Thread]"

    def is_open(self) -> bool:
        connection = self.connection()
        return connection is not None and is_in_transaction(connection)


def held_up(grant: Grant) -> LeaseError:
    """Return the error for a release that waits for the transaction around it."""
    return LeaseError(
        f"lease {grant.name!r} (token {grant.token}) cannot be released yet: a transaction that it fenced is still open "
        "here, around its block. It is released when that ends; begin the transaction inside the block, and end it there"
    )
