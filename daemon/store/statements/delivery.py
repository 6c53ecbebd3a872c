"""The statements on `delivery`, the outbox: a message is written in the transaction of what it reports.

All messages to one target form a queue, of which only the first may be sent: so they arrive in order. A claim lends it
for a time, after which it may be sent again: so one whose sender died is sent by another.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, func, insert, or_, select, update

from lease.database.dialects import later, now, seconds_between, seconds_until

from ...states import DeliveryEnd, DeliveryKind
from ..tables import delivery, present_name, run, schedule
from .dialects import among, among_keys, constant, of_schedule, unfinished

LENT = 60.0
"""Seconds for which a claim lends a message."""

asks = or_(schedule.c.definition.contains('"notify": ['), schedule.c.definition.contains('"ping": {'))
"""The definition of a schedule may ask for messages or pings."""
is_lost = delivery.c.outcome.in_([constant("gone"), constant("given up")])
"""A message will not be delivered, as the index has it."""
_is_gone = is_lost & (delivery.c.outcome == "gone")


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message as it is written."""

    schedule: str
    """The key of its row."""
    run_id: int | None
    kind: DeliveryKind
    target: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class LatelySent:
    """What was delivered to a target in the last minute, of one kind."""

    count: int
    since: float
    """Seconds since the first of them."""


def asking(connection: Connection, application: str, keys: Collection[str]) -> dict[str, str]:
    """Return the definitions, by key, of those of the schedules that may ask for messages or pings."""
    these = (schedule.c.application == application, among(schedule.c.name, keys), asks)
    query = select(schedule.c.name, schedule.c.definition).where(*these)
    return {key: value for key, value in connection.execute(query)}  # noqa: C416 - rows are not tuples to mypy


def has_failed_before(connection: Connection, application: str, key: str, run_id: int) -> bool:
    """Return whether the last run of a schedule that succeeded or failed, but for this one, failed."""
    others = (*of_schedule(run, application, key), run.c.id != run_id, run.c.state.in_(["succeeded", "failed"]))
    return connection.scalar(select(run.c.state).where(*others).order_by(run.c.id.desc()).limit(1)) == "failed"


def add(connection: Connection, application: str, written: Iterable[NewDelivery]) -> None:
    """Write messages, which are due at once."""
    rows = [{"application": application, **asdict(one)} for one in written]
    if rows:
        made = insert(delivery).inline().values(created_at=now(), available_at=now(), held=False)
        connection.execute(made, rows)


def until_due(connection: Connection, application: str) -> float | None:
    """Return in how many seconds the first message may be sent; None if none waits."""
    soonest = func.min(seconds_until(delivery.c.available_at))
    return connection.scalar(select(soonest).where(_is_first(application)))


def claim(connection: Connection, application: str, limit: int) -> list[Row[Any]]:
    """Lend the first message of each target if it is due, up to ``limit``; return them with ``age`` and ``called``."""
    due = (
        select(delivery.c.id)
        .where(_is_first(application), delivery.c.done_at.is_(None), delivery.c.available_at <= now())
        .order_by(delivery.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    lent = update(delivery).where(delivery.c.id.in_(due.scalar_subquery()))
    lent = lent.values(available_at=later(now(), LENT), attempts=delivery.c.attempts + 1)
    ids = [row.id for row in connection.execute(lent.returning(delivery.c.id))]
    if not ids:
        return []
    age = seconds_between(delivery.c.created_at, now()).label("age")
    query = select(delivery, delivery.c.count.label("times"), present_name(delivery).label("called"), age)
    return list(connection.execute(query.where(among_keys(delivery.c.id, ids)).order_by(delivery.c.id)))


def lately_sent(connection: Connection, application: str, within: float) -> Mapping[tuple[str, str], LatelySent]:
    """Return what was delivered in the last seconds, by target and kind."""
    done_for = seconds_between(delivery.c.done_at, now())
    lately = (delivery.c.done_at > later(now(), -within), delivery.c.outcome == "delivered")
    query = (
        select(delivery.c.target, delivery.c.kind, func.count(), func.max(done_for))
        .where(delivery.c.application == application, *lately)
        .group_by(delivery.c.target, delivery.c.kind)
    )
    return {(target, kind): LatelySent(count, since) for target, kind, count, since in connection.execute(query)}


def gone(connection: Connection, application: str) -> set[str]:
    """Return the targets that have answered that they are gone."""
    query = select(delivery.c.target).where(delivery.c.application == application, _is_gone).distinct()
    return set(connection.scalars(query))


def at_work(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return those of these runs that are not over."""
    return set(connection.scalars(select(run.c.id).where(among_keys(run.c.id, ids), unfinished())))


def keys_of(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Return the keys of the schedules of these runs, as far as they are there."""
    query = select(run.c.id, run.c.schedule).where(among_keys(run.c.id, ids))
    return {key: value for key, value in connection.execute(query)}  # noqa: C416 - rows are not tuples to mypy


def fold(connection: Connection, head: Row[Any]) -> int:
    """Let a message tell the others of its kind that wait behind it; return how many it tells besides itself."""
    to_same = (delivery.c.application == head.application, delivery.c.target == head.target)
    behind = (delivery.c.kind == head.kind, delivery.c.done_at.is_(None), delivery.c.id > head.id)
    others = update(delivery).where(*to_same, *behind)
    folded = connection.execute(others.values(done_at=now(), outcome="folded")).rowcount
    grown = update(delivery).where(delivery.c.id == head.id)
    connection.execute(grown.values(held=False, folded=delivery.c.folded + folded))
    return int(head.folded + folded)


def hold(connection: Connection, message_id: int, seconds: float) -> None:
    """Let a message wait, and then tell all of its kind."""
    held = update(delivery).where(delivery.c.id == message_id, delivery.c.done_at.is_(None))
    connection.execute(held.values(available_at=later(now(), seconds), attempts=delivery.c.attempts - 1, held=True))


def put_back(connection: Connection, message: Row[Any], seconds: float, error: str) -> None:
    """Let a message that could not be delivered be sent again, unless another has it since."""
    again = update(delivery).where(
        delivery.c.id == message.id, delivery.c.attempts == message.attempts, delivery.c.done_at.is_(None)
    )
    connection.execute(again.values(available_at=later(now(), seconds), error=error))


def end(connection: Connection, message_id: int, outcome: DeliveryEnd, error: str | None = None) -> None:
    """Record what became of a message."""
    ended = update(delivery).where(delivery.c.id == message_id, delivery.c.done_at.is_(None))
    connection.execute(ended.values(done_at=now(), outcome=outcome, error=func.coalesce(error, delivery.c.error)))


def forget(connection: Connection, message_id: int) -> None:
    """Delete a ping that was delivered or dropped: of two thousand schedules that run every minute they are too many."""
    connection.execute(delete(delivery).where(delivery.c.id == message_id))


def drop_superseded(connection: Connection, head: Row[Any]) -> int:
    """Delete pings that need not be sent, of those that wait behind the first one of a target; return how many.

    These are a success if its schedule has a later end of a run, a failure if it has a later failure, and the start of a
    run that is over. The end of a run stays if its start may have been sent: then the monitor waits for it.
    """
    newer, first = delivery.alias("newer"), delivery.alias("first")
    ends = [constant("ping.success"), constant("ping.fail")]
    queued = (newer.c.application == head.application, newer.c.target == head.target, newer.c.done_at.is_(None))
    is_later = (newer.c.schedule == delivery.c.schedule, newer.c.id > delivery.c.id, newer.c.kind.in_(ends))
    hides = or_(newer.c.kind == "ping.fail", delivery.c.kind == "ping.success")
    is_hidden = exists().where(*queued, *is_later, hides)
    of_run = run.c.id == delivery.c.run_id
    unseen = exists().where(of_run, run.c.started_at > head.created_at)
    is_over = exists().where(of_run, ~unfinished())
    superseded = delete(delivery).where(
        delivery.c.application == head.application,
        delivery.c.target == head.target,
        delivery.c.done_at.is_(None),
        delivery.c.id > head.id,
        or_(delivery.c.kind.in_(ends) & unseen & is_hidden, (delivery.c.kind == "ping.start") & is_over),
        exists().where(first.c.id == head.id, first.c.done_at.is_(None)),  # else the next may have been sent by now
    )
    return connection.execute(superseded).rowcount


def end_all(
    connection: Connection, application: str, target: str, outcome: DeliveryEnd, *, older_than: float = 0.0
) -> None:
    """Record what became of all that waits for a target since more than so many seconds ago."""
    waiting = (delivery.c.created_at <= later(now(), -older_than), delivery.c.done_at.is_(None))
    ended = update(delivery).where(delivery.c.application == application, delivery.c.target == target, *waiting)
    connection.execute(ended.values(done_at=now(), outcome=outcome))


def resume(connection: Connection, application: str, target: str) -> None:
    """Send to a target again that was gone."""
    back = update(delivery).where(delivery.c.application == application, delivery.c.target == target, _is_gone)
    connection.execute(back.values(outcome="given up"))


def delete_done(connection: Connection, application: str, older_than: float, limit: int) -> int:
    """Delete up to ``limit`` messages that were done with more than so many seconds ago; return how many."""
    old = (delivery.c.application == application, delivery.c.done_at < later(now(), -older_than))
    oldest = select(delivery.c.id).where(*old).order_by(delivery.c.done_at).limit(limit)
    free = oldest.with_for_update(skip_locked=True).scalar_subquery()
    return connection.execute(delete(delivery).where(delivery.c.id.in_(free))).rowcount


def _is_first(application: str) -> ColumnElement[bool]:
    """Return the condition that a message is the first that waits for its target."""
    waits = delivery.alias("waits")
    first = select(func.min(waits.c.id)).where(waits.c.application == application, waits.c.done_at.is_(None))
    return delivery.c.id.in_(first.group_by(waits.c.target))
