"""The renewal of all leases of one holder in one statement (rule 7)."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Text, bindparam, cast, select, update

from ..database.dialects import any_of, array_of, clock, durably_committed, later, lock_timeout, now, seconds_of, uptime
from ..database.held.statement import Call, Rows, Statement
from ..model import Grant, Renewal
from ..schema import lease


def renew(connection: Connection, holder: str, ttl: float, *, lock_wait: float) -> Renewal:
    """Do what `renewing` does, in the transaction of ``connection``."""
    return renewing(holder, ttl, lock_wait)(connection)


def renewing(holder: str, ttl: float, lock_wait: float, besides: Collection[Grant] = ()) -> Call[Renewal]:
    """Return the call that renews every lease of ``holder``, besides some grants, in one statement (rule 7).

    A row that another transaction has locked for longer than ``lock_wait`` seconds makes the
    database refuse the whole statement; use `renewing_unlocked` then.
    """
    values = {"of_holder": holder, "ttl": ttl, "lock_wait": lock_wait, **_keys(besides)}
    return Call(_RENEW_BESIDES if besides else _RENEW, values, _renewed)


def renewing_unlocked(holder: str, ttl: float, besides: Collection[Grant] = ()) -> Call[Renewal]:
    """Return the same call, which passes over rows that another transaction has locked (rule 7)."""
    values = {"of_holder": holder, "ttl": ttl, **_keys(besides)}
    return Call(_RENEW_UNLOCKED_BESIDES if besides else _RENEW_UNLOCKED, values, _renewed)


def _keys(besides: Collection[Grant]) -> dict[str, Any]:
    return {"besides": array_of([f"{grant.name}/{grant.token}" for grant in besides])} if besides else {}


def _renewed(rows: Rows) -> Renewal:
    pairs = frozenset([(name, token) for name, token, _ in rows])
    return Renewal(pairs, {}, max([time for _, _, time in rows], default=None))


def _renewal(*where: ColumnElement[bool]) -> Statement:
    return Statement(
        update(lease)
        .where(_OF_HOLDER, *where, durably_committed())
        .values(expires_at=later(clock(), bindparam("ttl", type_=Double())), renewed_at=now(), uptime=uptime())
        .returning(lease.c.name, lease.c.token, seconds_of(lease.c.renewed_at))
    )


_OF_HOLDER = lease.c.holder == bindparam("of_holder")
_unlocked = (
    select(lease.c.name)
    .where(_OF_HOLDER)
    .order_by(lease.c.name)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("unlocked")
)
_RENEW = _renewal(lock_timeout("lock_wait"))
_RENEW_UNLOCKED = _renewal(lease.c.name.in_(select(_unlocked.c.name)))
# Of their own: a condition on each row would cost all renewals what only few need.
_not_besides = ~any_of(lease.c.name + "/" + cast(lease.c.token, Text), bindparam("besides", type_=Text()))
_RENEW_BESIDES = _renewal(lock_timeout("lock_wait"), _not_besides)
_RENEW_UNLOCKED_BESIDES = _renewal(lease.c.name.in_(select(_unlocked.c.name)), _not_besides)
