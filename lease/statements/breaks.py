"""The break of a grant that somebody else holds: it fences off at once, and the next grant waits for
the work under it.
"""

import json
from dataclasses import asdict

from sqlalchemy import Connection, select, update

from ..database.dialects import durably_committed, lock_timeout, now
from ..model import Break, Grant, mark_of
from ..schema import lease, of_grant


def break_grant(connection: Connection, grant: Grant, *, by: str, reason: str, lock_wait: float = 5.0) -> Break | None:
    """Break ``grant``, and record by whom and why; None when it had ended before.

    The row's holder becomes a mark, and its expires_at stays: fences and renewals of the holder, who
    is of any version, match no more, while nobody is granted the name before the holder ends the
    mark or its last ttl is over. Waits up to ``lock_wait`` seconds for transactions that are fenced
    with this grant; then the database refuses the statement.
    """
    held = connection.execute(select(lease.c.label, now()).where(of_grant(grant))).one_or_none()
    if held is None:
        return None
    label, at = held
    made = Break(by, reason, at, grant.holder, label, grant.token)
    breaking = update(lease).where(of_grant(grant), lock_timeout(lock_wait), durably_committed())
    done = connection.execute(breaking.values(holder=mark_of(grant).holder, broken=encode(made)))
    return made if done.rowcount else None


def encode(made: Break) -> str:
    """Return what the row keeps of a break."""
    return json.dumps({**asdict(made), "at": made.at.isoformat()})
