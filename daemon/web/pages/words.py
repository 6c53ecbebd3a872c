"""When a schedule is due, in words: ``every 15 minutes``, ``every day at 16:05``. Pure."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise

from ...definitions.triggers.cron import Pattern, parse
from ...definitions.triggers.trigger import At, Cron, Every, Trigger
from ...errors import InvalidCron

_DAY_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_LONG_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTH_NAMES = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ORDINALS = ("last", "first", "second", "third", "fourth", "fifth")
_MOST = 4
"""So many values are listed; what has more shows its expression."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def in_words(trigger: Trigger) -> str:
    """Return when a schedule is due; a cron expression as it is where that is too odd for few words."""
    match trigger:
        case Cron():
            return cron_in_words(trigger.expression) or str(trigger)
        case Every():
            return every_in_words(trigger.interval)
        case At():
            return "once"
        case _:
            return str(trigger)


@lru_cache(maxsize=1 << 12)
def cron_in_words(expression: str) -> str | None:
    """Return what an expression means, None if few words cannot say it exactly."""
    try:
        pattern = parse(expression)
    except InvalidCron:  # one of an older version
        return None
    times, days, months = _times(pattern), _days(pattern), _months(pattern)
    if times is None or days is None or months is None:
        return None
    is_daily = not days and times.startswith("at ")
    if months and not days:
        return f"every day in {months} {times}" if is_daily else f"{times} in {months}"
    return " ".join(filter(None, (months, "every day" if is_daily else days, times)))


def every_in_words(seconds: float) -> str:
    """Return an interval in words: ``every 15 minutes``."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"every {unit}" if number == 1 else f"every {number:,} {unit}s"
    return f"every {seconds:g} seconds"


def _times(pattern: Pattern) -> str | None:
    hours = sorted({time // 3600 for time in pattern.times})
    minutes = sorted({time // 60 % 60 for time in pattern.times})
    seconds = sorted({time % 60 for time in pattern.times})
    if seconds != [0]:
        always = len(hours) == 24 and len(minutes) == 60
        step = _step(seconds, 60)
        return every_in_words(step) if always and step is not None and seconds[0] == 0 else None
    is_even = len(minutes) == 1 and len(hours) > 2 and _step(hours, 24) is not None
    if len(hours) * len(minutes) <= _MOST and not is_even:
        return f"at {_listed([f'{time // 3600:02}:{time // 60 % 60:02}' for time in pattern.times])}"
    if len(minutes) > 1:
        return _several_an_hour(hours, minutes)
    return _once_an_hour(hours, minutes[0])


def _several_an_hour(hours: Sequence[int], minutes: Sequence[int]) -> str | None:
    step = _step(minutes, 60)
    if step is not None and minutes[0] == 0:
        often = every_in_words(step * 60)
    elif len(minutes) <= _MOST:
        often = f"every hour at {_listed([f':{minute:02}' for minute in minutes])}"
    else:
        return None
    if len(hours) == 24:
        return often
    if not _in_a_row(hours):
        return None
    return f"{often} from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[-1]:02}"


def _once_an_hour(hours: Sequence[int], minute: int) -> str | None:
    at = f" at :{minute:02}" if minute else ""
    if len(hours) == 24:
        return f"every hour{at}"
    if _in_a_row(hours):
        return f"every hour from {hours[0]:02}:{minute:02} to {hours[-1]:02}:{minute:02}"
    step = _step(hours, 24)
    if step is None:
        return None
    return f"every {step} hours" + (f" from {hours[0]:02}:{minute:02}" if hours[0] or minute else "")


def _days(pattern: Pattern) -> str | None:
    """Return the days that match, in words; empty: all."""
    of_month, of_week = _of_month(pattern), _of_week(pattern)
    if of_month is None or of_week is None:
        return None
    if pattern.both_days:
        return None if of_month and of_week else of_month or of_week
    return f"{of_month} and {of_week}" if of_month and of_week else ""


def _of_month(pattern: Pattern) -> str | None:
    of = pattern.days
    if len(of.days) == 31:
        return ""
    days = [str(day) for day in sorted(of.days)]
    if len(days) > _MOST:
        if not _in_a_row(of.days):
            return None
        named = [f"days {days[0]}–{days[-1]}"]  # noqa: RUF001 - a range
    else:
        named = [f"day{'' if len(days) == 1 else 's'} {_listed(days)}"] if days else []
    named += ["the last day"] if of.last else []
    named += ["the last weekday"] if of.last_weekday else []
    named += [f"the weekday nearest to day {day}" for day in sorted(of.nearest)]
    return f"on {_listed(named)}" if len(named) <= _MOST else None


def _of_week(pattern: Pattern) -> str | None:
    of = pattern.weekdays
    if len(of.weekdays) == 7:
        return ""
    numbered = [f"the {_ORDINALS[number]} {_LONG_DAY_NAMES[day]}" for day, number in sorted(of.numbered)]
    if numbered:
        return f"on {_listed(numbered)}" if not of.weekdays and len(numbered) <= _MOST else None
    days = sorted(of.weekdays, key=lambda day: day or 7)
    if len(days) == 1:
        return f"{_LONG_DAY_NAMES[days[0]]}s"
    if len(days) > 2 and _in_a_row([day or 7 for day in days]):
        return f"{_DAY_NAMES[days[0]]}–{_DAY_NAMES[days[-1]]}"  # noqa: RUF001 - a range
    return _listed([_DAY_NAMES[day] for day in days])


def _months(pattern: Pattern) -> str | None:
    """Return the months that match, in words; empty: all."""
    months = sorted(pattern.months)
    if len(months) == 12:
        return ""
    if len(months) > 2 and _in_a_row(months):
        return f"{_MONTH_NAMES[months[0]]}–{_MONTH_NAMES[months[-1]]}"  # noqa: RUF001 - a range
    return ", ".join(_MONTH_NAMES[month] for month in months)


def _step(values: Sequence[int], whole: int) -> int | None:
    """Return how far apart values are that divide a whole evenly, over its end too; None: they do not."""
    step = whole // len(values)
    even = whole % len(values) == 0 and all(b - a == step for a, b in pairwise(values))
    return step if even and len(values) > 1 else None


def _in_a_row(values: Collection[int]) -> bool:
    return len(values) > 1 and max(values) - min(values) == len(values) - 1


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
