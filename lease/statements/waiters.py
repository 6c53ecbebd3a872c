"""Waiters for a release: the note that one leaves in the row, and the notification that answers it
(rule 15).
"""

from sqlalchemy import Connection, func, select, update

from ..database.backend import backend_of
from ..database.dialects import clock, later
from ..schema import lease

CHANNEL = "lease_released"
"""PostgreSQL's channel of names just released."""


def await_release(connection: Connection, name: str, seconds: float) -> bool:
    """Record that someone waits for ``name`` for that long; False when its row is locked, and was
    passed over.
    """
    unlocked = (
        select(lease.c.name)
        .where(lease.c.name == name)
        .with_for_update(skip_locked=True, key_share=True)
        .cte("unlocked")
    )
    word = update(lease).where(lease.c.name.in_(select(unlocked.c.name))).values(awaited_until=later(clock(), seconds))
    return connection.execute(word).rowcount > 0


def notify(connection: Connection, name: str) -> None:
    """Notify those who listen that ``name`` was released; where nobody can listen, a waiter looks
    by itself.
    """
    if backend_of(connection).listens:
        connection.execute(select(func.pg_notify(CHANNEL, name)))
