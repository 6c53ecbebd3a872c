"""The strip of the scheduled times of a backfill: which will run, which have succeeded, which are waiting or running."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ....operations.backfill_plan import Fate, SurveyedInstant

_MOST = 60
"""So many bars are drawn; of more times, some share one."""
_ROOM = 30
"""There is room for at least so many, so that a few are no wide blocks."""
_WORDS = {"new": "will run", "way": "waiting or running", "out": "cannot run", "ok": "succeeded before"}
"""By class; the first of these that a bar has is drawn."""
_LOOKS: Mapping[Fate, str] = {"succeeded": "ok", "under way": "way", "left out": "out"}


@dataclass(frozen=True, slots=True)
class TimesBar:
    """One scheduled time, or some."""

    looks: str
    x: float
    """Positions and sizes are in percent of the width."""
    width: float
    first: datetime
    last: datetime
    word: str
    """``will run``; of several ``3 of 12 will run``."""


@dataclass(frozen=True, slots=True)
class TimesStrip:
    """The strip, ready to be drawn."""

    bars: Sequence[TimesBar]
    each: int
    """So many times share a bar, at most."""
    key: Sequence[tuple[str, str]]
    """The classes that are drawn, and what they mean."""


def times_strip(found: Sequence[SurveyedInstant]) -> TimesStrip:
    """Return the strip of these scheduled times, in order."""
    each = max(-(-len(found) // _MOST), 1)
    parts = [found[start : start + each] for start in range(0, len(found), each)]
    step = 100 / max(len(parts), _ROOM)
    bars = [_bar(part, number * step, step) for number, part in enumerate(parts)]
    drawn = {one.looks for one in bars}
    return TimesStrip(bars, each, [(looks, word) for looks, word in _WORDS.items() if looks in drawn])


def _bar(part: Sequence[SurveyedInstant], x: float, step: float) -> TimesBar:
    of = [_LOOKS.get(one.fate, "new") for one in part]
    looks = next(one for one in _WORDS if one in of)
    word = _WORDS[looks] if len(part) == 1 else f"{of.count(looks)} of {len(part)} {_WORDS[looks]}"
    return TimesBar(looks, round(x, 2), round(step * 0.78, 2), part[0].instant, part[-1].instant, word)
