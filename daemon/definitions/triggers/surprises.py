"""Valid cron expressions that may not mean what was meant."""

from collections.abc import Iterator

from .cron import LENGTHS, parse

_IN_EVERY_MONTH = 28


def surprises(expression: str) -> Iterator[str]:
    """Yield a sentence for each part of an expression that may surprise."""
    pattern = parse(expression)
    if not pattern.both_days:
        yield (
            "day of month and day of week are both set, so it is due when either matches; "
            "a certain weekday of a month is written as mon#1 (the first Monday) or friL (the last Friday)"
        )
        return
    first = min(pattern.days.days, default=0)
    shorter = any(LENGTHS[month - 1][0] < first for month in pattern.months)
    if first > _IN_EVERY_MONTH and shorter and len(pattern.months) > 1 and not pattern.days.last:
        yield f"a month without a day {first} is passed over; the last day of each month is written as L"
