"""The lift of all tokens, after the database was set back to an earlier state (rules 5 and 12)."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, cast, func, not_, null, select, text, update
from sqlalchemy.types import BigInteger

from ..database.backend import backend_of, quoted, schema_of
from ..database.dialects import durably_committed, lock_timeout, now, seconds_of
from ..errors import LeaseError
from ..schema import ENDED, lease, stale

MOST_GRANTS = 2**20
"""Grants of one name in a second that are taken for impossible: the new tokens are the seconds since 1970, times this.
"""
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Lifted:
    """What a lift did."""

    token: int
    """What every lease's token is now, and where names that are new begin."""
    leases: int
    ended: tuple[str, ...]
    """The names that were held."""


def held_now(connection: Connection) -> list[Row[tuple[str, str | None]]]:
    """Return (name, label) of the leases that are live, so that a holder may be at work."""
    live = and_(lease.c.holder.is_not(None), not_(stale()))
    return list(connection.execute(select(lease.c.name, lease.c.label).where(live).order_by(lease.c.name)))


def lift(connection: Connection, by: int = 1) -> Lifted:
    """Set every token above all that were granted after this state was saved, and end every grant.

    Tokens only grow by a grant, so one that is the seconds since 1970 times a million is above
    whatever a gate has seen, however often and from whichever backup the database is restored. It is
    at least ``by`` above the highest that is there, for a clock that was set back.
    """
    _lock(connection)
    highest, seconds, number = connection.execute(
        select(
            func.coalesce(func.max(lease.c.token), 0),
            cast(seconds_of(now()), BigInteger),
            func.count(),
        )
    ).one()
    token = max(highest + by, seconds * MOST_GRANTS)
    if token >= 2**62:  # of 2**63
        raise LeaseError(
            f"the tokens are at {highest}, and {by} more would leave too few of 64 bits; raise them by less"
        )
    held = connection.scalars(select(lease.c.name).where(lease.c.holder.is_not(None)).order_by(lease.c.name))
    ended = tuple(held)
    connection.execute(update(lease).values({**ENDED, "token": token, "waiters": null()}))
    _let_new_names_begin_at(connection, token)
    return Lifted(token, number, ended)


def _lock(connection: Connection) -> None:
    """Let nobody else use the table until the transaction ends; wait for it a moment only."""
    if not backend_of(connection).has_one_writer:
        connection.execute(select(lock_timeout(_PATIENCE), durably_committed()))
        connection.execute(text(f"LOCK TABLE {quoted(schema_of(connection))}lease IN ACCESS EXCLUSIVE MODE"))


def _let_new_names_begin_at(connection: Connection, token: int) -> None:
    """A name that came after the state was saved is not in the table, but a gate may know it."""
    if backend_of(connection).has_functions:
        table = f"{quoted(schema_of(connection))}lease"
        connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN token SET DEFAULT {token}"))
        return
    connection.execute(text("DROP TRIGGER IF EXISTS lease_begins_higher"))
    connection.execute(
        text(
            f"CREATE TRIGGER lease_begins_higher AFTER INSERT ON lease WHEN NEW.token < {token} "
            f"BEGIN UPDATE lease SET token = {token} WHERE name = NEW.name; END"
        )
    )
