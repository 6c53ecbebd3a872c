"""The days that cron's two fields of days allow, those among them that depend on the month."""

from dataclasses import dataclass

SATURDAY, SUNDAY = 6, 0
LAST = 0
"""In place of the number of a weekday within its month."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of some month: by it a field of days decides."""

    number: int
    weekday: int
    """0 is Sunday."""
    length: int
    """How many days its month has."""


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """What a field ``day of month`` allows."""

    days: frozenset[int]
    last: bool = False
    """``L``: the last day."""
    last_weekday: bool = False
    """``LW``: the last day from Monday to Friday."""
    nearest: frozenset[int] = frozenset()
    """``15W``: the day from Monday to Friday that is nearest to the 15th within its month."""

    def allows(self, day: Day) -> bool:
        return (
            day.number in self.days
            or (self.last and day.number == day.length)
            or (self.last_weekday and _is_nearest(day, day.length))
            or any(_is_nearest(day, number) for number in self.nearest)
        )


@dataclass(frozen=True, slots=True)
class DaysOfWeek:
    """What a field ``day of week`` allows."""

    weekdays: frozenset[int]
    numbered: frozenset[tuple[int, int]] = frozenset()
    """``5#3``: the third Friday of a month; ``5L``, with `LAST`: its last."""

    def allows(self, day: Day) -> bool:
        if day.weekday in self.weekdays:
            return True
        if (day.weekday, (day.number + 6) // 7) in self.numbered:
            return True
        return day.number + 7 > day.length and (day.weekday, LAST) in self.numbered


def _is_nearest(day: Day, wanted: int) -> bool:
    """Return whether the day is from Monday to Friday and the nearest to a day of its month; a month that
    does not have that one has none.
    """
    if wanted > day.length or day.weekday in {SATURDAY, SUNDAY}:
        return False
    weekday = (day.weekday + wanted - day.number) % 7
    if weekday == SATURDAY:
        return day.number == (wanted - 1 if wanted > 1 else wanted + 2)
    if weekday == SUNDAY:
        return day.number == (wanted + 1 if wanted < day.length else wanted - 2)
    return day.number == wanted
