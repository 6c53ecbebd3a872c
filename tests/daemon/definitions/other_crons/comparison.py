"""What cronsim and leased make of an expression around a change of a clock, and why they differ.

cronsim models Debian's cron. A difference that no `Explanation` covers is a mistake, here or there.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import takewhile

from cronsim import CronSim

from daemon.definitions.triggers.cron import Pattern, parse
from daemon.definitions.triggers.wall_time import matches_of

from .transitions import AROUND, Change, Transition, zone_of

_HOUR = timedelta(hours=1)
_MOST_TICKS = 10_000
"""Hours, minutes and seconds that cronsim steps over on its way to an instant: a few hundred."""


class Explanation(Enum):
    """Why cronsim differs; the page about it has a row for each."""

    SIX_FIELDS = "six fields"
    """To cronsim, all with six fields goes on with elapsed time."""
    STEP_TO_SUNDAY = "a step without an end, as day of week"
    """``5/2`` is Friday and Sunday to cronsim, which counts up to 7."""
    BROKEN_HOUR = "a change within an hour, or by a part of one"
    """cronsim looks for an hour in steps of whole hours of elapsed time: after such a change it comes into
    the middle of one, and passes over what is due at its beginning."""
    ENDLESS = "an endless search"
    """After such a change cronsim may step back before it again and again, and never returns."""
    NO_MIDNIGHT = "a day without a midnight"
    """cronsim begins each day at 0:00, also one whose clock goes from 24:00 to 1:00."""


class _EndlessError(Exception):
    """cronsim looks for its next instant for ever."""


class _Bounded(CronSim):
    """cronsim, which says so instead of looking for ever."""

    ticks = 0

    def tick(self, seconds: int = 1) -> None:
        self.ticks += 1
        if self.ticks > _MOST_TICKS:
            raise _EndlessError
        super().tick(seconds)

    def __next__(self) -> datetime:
        self.ticks = 0
        return super().__next__()


@dataclass(frozen=True, slots=True)
class Difference:
    """Instants that only one of the two has, none of them explained."""

    expression: str
    change: Change
    only_cronsim: tuple[datetime, ...]
    only_ours: tuple[datetime, ...]


def compare(expression: str, change: Change, counts: Counter[Explanation]) -> Difference | None:
    """Return what differs and is not explained; count by its explanation what is."""
    pattern = parse(expression)
    ours, (theirs, is_endless) = _ours(pattern, change), _cronsims(expression, change)
    counts[Explanation.ENDLESS] += is_endless
    for explanation, pattern in _other_readings(parse(expression), expression):
        as_they_read_it = _ours(pattern, change)
        counts[explanation] += as_they_read_it != ours
        ours = as_they_read_it
    only_theirs, only_ours = (list((one - other).elements()) for one, other in ((theirs, ours), (ours, theirs)))
    for instant in [*only_theirs, *only_ours]:
        why = _explanation(pattern, change.transition, instant, extra=instant in only_theirs)
        if why is None:
            return Difference(expression, change, tuple(only_theirs), tuple(only_ours))
        counts[why] += 1
    return None


def _other_readings(pattern: Pattern, expression: str) -> Iterator[tuple[Explanation, Pattern]]:
    """Yield the pattern that cronsim takes the expression for, where that is another."""
    fields = expression.split()
    if len(fields) == 6 and pattern.fixed:
        pattern = replace(pattern, fixed=False)
        yield Explanation.SIX_FIELDS, pattern
    first, slash, step = fields[-1].partition("/")
    if slash and first.isdigit():
        yield Explanation.STEP_TO_SUNDAY, replace(pattern, weekdays=parse(f"0 0 * * {first}-7/{step}").weekdays)


def _explanation(pattern: Pattern, transition: Transition, instant: datetime, *, extra: bool) -> Explanation | None:
    """Return why one of the two has an instant that the other does not; ``extra``: cronsim has it. Pure."""
    if pattern.fixed:
        return None
    start, end = transition.gap
    since = instant - transition.at
    midnight = start.replace(hour=0, minute=0, second=0) + timedelta(days=start > start.replace(hour=0, minute=0))
    if extra and start <= midnight < end:
        return Explanation.NO_MIDNIGHT if timedelta(0) <= since < _HOUR else None
    if (transition.by % _HOUR or start.minute) and not extra and -_HOUR < since < AROUND:
        return Explanation.BROKEN_HOUR
    return None


def _ours(pattern: Pattern, change: Change) -> Counter[datetime]:
    start, end = change.transition.at - AROUND, change.transition.at + AROUND
    return Counter(takewhile(lambda instant: instant < end, matches_of(pattern, start, zone_of(change.zone))))


def _cronsims(expression: str, change: Change) -> tuple[Counter[datetime], bool]:
    """Return what cronsim finds, and whether it then looks for more for ever."""
    start, end = change.transition.at - AROUND, change.transition.at + AROUND
    found: Counter[datetime] = Counter()
    try:
        for one in _Bounded(expression, start.astimezone(zone_of(change.zone))):
            if one >= end:
                break
            found[one.astimezone(UTC)] += 1
    except _EndlessError:
        return found, True
    return found, False
