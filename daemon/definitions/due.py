"""The due instants of a piece of time, cut where `exclude` begins and ends; of very many, the older are counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice, takewhile

from .schedule import Schedule
from .triggers.calendar import Part
from .triggers.wall_time import Tally


@dataclass(frozen=True, slots=True)
class DuePiece:
    """Instants that follow each other, all on excluded days or none: ``older`` ones that are only counted, and then
    ``instants``.
    """

    excluded: bool
    older: Tally | None
    instants: list[datetime]


def due_pieces(
    schedule: Schedule, after: datetime, until: datetime, anchor: datetime, *, newest: int, newest_excluded: int
) -> list[DuePiece]:
    """Return what is due after ``after``, up to ``until``. If there is much, only the ``newest`` instants
    on days that are not excluded are enumerated, and of each piece among them that is excluded the
    ``newest_excluded``: to enumerate a year takes too long.
    """
    few = list(islice(_instants(schedule, after, until, anchor), newest + 1))
    if len(few) <= newest:
        cut = groupby(few, key=lambda instant: schedule.excluded_by(instant) is not None)
        return [DuePiece(excluded, None, list(instants)) for excluded, instants in cut]
    pieces: list[DuePiece] = []
    for part in reversed(list(schedule.parts(after, until))):
        least = newest if newest == 0 or not part.excluded else newest_excluded
        piece = _piece(schedule, part, anchor, least)
        if not part.excluded:
            newest = max(0, newest - len(piece.instants))
        pieces.append(piece)
    return pieces[::-1]


def _piece(schedule: Schedule, part: Part, anchor: datetime, least: int) -> DuePiece:
    older = schedule.older(part.after, part.until, least, anchor)
    if least == 0:
        return DuePiece(part.excluded, older, [])
    after = part.after if older is None else older.last
    return DuePiece(part.excluded, older, list(_instants(schedule, after, part.until, anchor)))


def _instants(schedule: Schedule, after: datetime, until: datetime, anchor: datetime) -> Iterator[datetime]:
    return takewhile(lambda instant: instant <= until, schedule.instants(after, anchor))
