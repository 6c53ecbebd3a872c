"""The acknowledgement that a generation kept no schedule of the one before: somebody says that it is meant."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..errors import DaemonError, NotFound
from ..store import statements
from .requester import refuse_unrecordable


class NothingToAcknowledge(DaemonError):
    """The generation kept schedules of the one before, or there was none."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A generation that is acknowledged."""

    application: str
    number: int
    already: bool
    """It was before, and nothing was written."""
    acknowledged_by: str
    acknowledged_at: datetime


def acknowledge(
    connection: Connection, application: str, number: int, *, requested_by: str, why: str | None = None
) -> Acknowledged:
    """Record that what generation ``number`` retired is meant; it is no problem any more. A second time writes nothing.

    Raises `NotFound`, `NothingToAcknowledge`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    statements.schedule.take_turn(connection, application)
    found = statements.generation.read(connection, application, number)
    if found is None:
        newest = statements.generation.newest_number(connection, application)
        there = "there are none yet" if newest is None else f"the newest is {newest}"
        raise NotFound(f'"{application}" has no generation {number}; {there} (`leased generations` lists them)')
    if found.replaced is None:
        raise NothingToAcknowledge(
            f'there is nothing to acknowledge: generation {number} of "{application}" did not retire all schedules of '
            "the one before"
        )
    already = found.acknowledged_at is not None
    if not already:
        statements.generation.acknowledge(connection, application, number, requested_by)
        effect = f"generation {number} replaces all schedules of generation {found.replaced}"
        statements.acts.record(
            connection, "acknowledge", by=requested_by, application=application, why=why, effect=effect
        )
    now = statements.generation.read(connection, application, number)
    assert now is not None  # noqa: S101 - it was there
    return Acknowledged(application, number, already, now.acknowledged_by, now.acknowledged_at)
