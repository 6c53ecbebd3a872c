"""Valid cron expressions that may not mean what was meant."""

from collections.abc import Iterator

from .cron import LENGTHS, parse

_IN_EVERY_MONTH = 28


def surprises(expression: str) -> Iterator[str]:
    """Yield a sentence for each part of an expression that may surprise."""
    pattern = parse(expression)
    if not pattern.both_days:
        yield (
            "day of month and day of week are both set, so it is due when either matches; for one weekday of the "
            "month write mon#1 (the first Monday) or friL (the last Friday)"
        )
        return
    first = min(pattern.days.days, default=0)
    shorter = any(LENGTHS[month - 1][0] < first for month in pattern.months)
    if first > _IN_EVERY_MONTH and shorter and len(pattern.months) > 1 and not pattern.days.last:
        yield f"months without a day {first} are skipped; for the last day of every month write L"
