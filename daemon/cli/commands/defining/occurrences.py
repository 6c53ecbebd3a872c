"""The next instants of schedules and expressions, as they are shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from ....definitions.preview import Preview, preview_schedule
from ....definitions.schedule import Schedule
from ....text import number

_LOOKED_AT = 366
"""So many instants are looked at for one that is not excluded."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An instant at which a schedule is due; ``note`` says what daylight saving time changes about it,
    ``excluded`` which day or calendar keeps it from running.
    """

    instant: datetime
    local: str
    note: str | None
    excluded: str | None

    @classmethod
    def of(cls, coming: Preview) -> Self:
        return cls(coming.instant, coming.local.isoformat(), coming.note, coming.excluded)


def in_zone_text(coming: Preview) -> str:
    """Return a time by the clock of its time zone, with its remarks."""
    remark = remark_on(coming)
    return f"{coming.local.isoformat(sep=' ')}{f' ({remark})' if remark else ''}"


def remark_on(coming: Preview) -> str:
    """Return that a time is excluded, and what daylight saving time changes about it."""
    excluded = f"excluded: {coming.excluded}" if coming.excluded else None
    return ", ".join(filter(None, (excluded, coming.note)))


def excluded_remarks(schedule: Schedule, now: datetime) -> Iterator[str]:
    """Yield a remark if nothing of a schedule runs for a long time."""
    coming = preview_schedule(schedule, now, _LOOKED_AT) if schedule.exclude else ()
    if coming and all(one.excluded for one in coming):
        what = (
            "the only scheduled time left"
            if len(coming) == 1
            else f"each of the next {number(len(coming))} scheduled times"
        )
        yield f"exclude keeps {what} from running"
