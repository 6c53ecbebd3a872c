"""What people are to be told, written in the transaction of the change that it tells (the outbox).

The definitions in the database decide who is told. Only the ends of runs do without: there the replica's own
definition decides, so that a schedule that asks for nothing costs no statement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.schedule import UnreadableDefinition, read_schedule
from ..definitions.values.targets import Target
from ..states import DeliveryKind
from ..store import statements
from ..store.statements.delivery import NewDelivery


@dataclass(frozen=True, slots=True)
class Told:
    """What has happened to a schedule, or to a run of it."""

    kind: DeliveryKind
    schedule: str
    """The key of its row."""
    run_id: int | None = None
    count: int = 1


def tell(connection: Connection, application: str, told: Sequence[Told]) -> None:
    """Write a message for each target whose schedule asks for it."""
    keys = {one.schedule for one in told}
    definitions = statements.delivery.asking(connection, application, keys) if keys else {}
    targets: dict[str, tuple[Target, ...]] = {}
    for key, definition in definitions.items():
        try:
            schedule = read_schedule(definition)
        except UnreadableDefinition:  # of a later version, whose replicas tell it
            continue
        # What such a schedule misses it is meant to miss; `leased status` says nothing of it either.
        as_asked = {"schedule.missed"} if schedule.catch_up == "skip" else set[str]()
        targets[key] = tuple(Target(one.address, one.on - as_asked) for one in schedule.targets)
    write(connection, application, [(one, targets.get(one.schedule, ())) for one in told])


def write(connection: Connection, application: str, told: Iterable[tuple[Told, Sequence[Target]]]) -> None:
    """Write a message for each of the targets that asks for it."""
    asked_for = [
        NewDelivery(one.schedule, one.run_id, one.kind, address, one.count)
        for one, targets in told
        for address in dict.fromkeys(target.address for target in targets if one.kind in target.on)
    ]
    statements.delivery.add(connection, application, asked_for)
