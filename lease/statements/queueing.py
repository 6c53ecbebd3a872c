"""A place in the queue of those who wait for a lease, taken in one statement."""

from dataclasses import dataclass

from sqlalchemy import Text, bindparam, case, func, update

from ..database.dialects import clock, lock_timeout, seconds_of, soon_committed, with_last
from ..database.held.statement import Call, Rows, Statement
from ..model import LeaseRecord
from ..schema import lease
from ..waiters import LOOK, PLACE, entry_of
from .records import columns, record_of


@dataclass(frozen=True, slots=True)
class Queued:
    """What a client finds that has a place now."""

    record: LeaseRecord
    keeps: bool
    """It keeps its place until it looks again."""


def queueing(name: str, holder: str, label: str, lock_wait: float) -> Call[Queued | None]:
    """Return the call that gives ``holder`` a place in the queue of ``name`` if it has none, which
    it does not keep for longer if it has one; None where there is no row.

    It waits at most ``lock_wait`` seconds for a row that is locked; a fence of it is not in the way.
    A place that a crash of the server loses is taken again: the connection breaks, and all look.
    """
    values = {
        "of_name": name,
        "for_holder": holder,
        "for_label": label,
        "entry_of_holder": entry_of(holder),
        "lock_wait": lock_wait,
    }
    return Call(_QUEUE, values, lambda rows: _queued(rows, holder))


def _queued(rows: Rows, holder: str) -> Queued | None:
    if not rows:
        return None
    record, moment = record_of(rows[0]), rows[0][-1]
    return Queued(record, any(one.holder == holder and one.until > moment + LOOK for one in record.waiting))


_place = with_last(
    lease.c.waiters,
    bindparam("for_holder", type_=Text()),
    bindparam("for_label", type_=Text()),
    seconds_of(clock()) + PLACE,
)
_has_place = func.replace(lease.c.waiters, bindparam("entry_of_holder", type_=Text()), "") != lease.c.waiters
_QUEUE = Statement(
    update(lease)
    .where(lease.c.name == bindparam("of_name"), lock_timeout("lock_wait"), soon_committed())
    .values(waiters=case((_has_place, lease.c.waiters), else_=_place))
    .returning(*columns())
)
