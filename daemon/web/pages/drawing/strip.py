"""A strip of the last runs of a schedule: each a bar, as high as it took long, and one path for each state.

A bar is a line as thick as the strip says, from the middle of its place; so hundreds of strips are short.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....states import RunState
from ....store.views.lately import StripRun
from ..states import of_run

_P95_AT = 0.7
"""The p95 is at this part of the height; what takes longer than 1/0.7 times the p95 is cut."""
_LEAST = 3.0
_SPLIT = 1.5
"""Between the two parts of a bar that crashed and was resumed."""
_FILLS: dict[RunState, str] = {"succeeded": "ok", "failed": "bad", "cancelled": "can", "running": "run"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a strip, in pixels."""

    bar: float = 5
    gap: float = 2
    height: float = 26
    foot: float = 8
    """Below the bars, for the marks."""
    looks: str = "strip"
    """The class by which the style draws the baseline and the line of the p95, and how thick bars are."""


SMALL = Sizes()
LARGE = Sizes(bar=14, gap=6, height=72, foot=12, looks="strip large")


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip, ready to be drawn."""

    width: float
    height: float
    left: float
    """Where its left edge is: the middle of the first bar is at 0."""
    looks: str
    paths: tuple[tuple[str, str], ...]
    """Classes and geometry."""
    label: str
    """The same in words."""


def strip(bars: Sequence[StripRun], p95: float | None, sizes: Sizes = SMALL) -> Strip:
    """Return the strip of these runs, the oldest first. Without a p95, the longest of them takes its place."""
    longest = max((bar.seconds or 0.0 for bar in bars), default=0.0)
    drawn: dict[str, list[str]] = {}
    for number, bar in enumerate(bars):
        at = _Place(number * (sizes.bar + sizes.gap), p95 or longest or 1.0, sizes)
        for name, path in _marks(bar, at):
            drawn.setdefault(name, []).append(path)
    return Strip(
        width=max(len(bars) * (sizes.bar + sizes.gap) - sizes.gap, 0),
        height=sizes.height + sizes.foot + 2,
        left=-sizes.bar / 2,
        looks=sizes.looks + ("" if p95 is None else " known"),
        paths=tuple((name, "".join(parts)) for name, parts in drawn.items()),
        label=in_words(bars),
    )


def in_words(bars: Sequence[StripRun]) -> str:
    """Return what a strip shows: ``last 30 runs: 26 succeeded, 4 failed``."""
    found: Counter[str] = Counter()
    for bar in bars:
        word = of_run(bar.state, bar.reason).word
        found[word if bar.crashed is None else f"{word} after a crash"] += bar.count
    named = ", ".join(f"{number:,} {word}" for word, number in found.most_common())
    total = found.total()
    return f"last {total:,} run{'' if total == 1 else 's'}: {named}" if bars else "no runs yet"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the middle of a bar stands, and the measures of its strip."""

    x: float
    p95: float
    sizes: Sizes

    def high(self, seconds: float | None) -> float:
        """Return how high a bar of this duration is; it is cut where that is more than the strip."""
        high = min((seconds or 0.0) / self.p95 * _P95_AT, 1.0) * self.sizes.height
        return max(round(high), _LEAST)

    def bar(self, low: float, high: float) -> str:
        """Return a bar from one height above the baseline to another."""
        base = self.sizes.height
        return f"M{_n(self.x)} {_n(base - low)}V{_n(base - max(high, low + 0.5))}"

    @property
    def below(self) -> float:
        """Where the marks below the baseline begin."""
        return self.sizes.height + 3.5

    @property
    def small(self) -> float:
        """The size of the hollow marks of what did not run."""
        return min(self.sizes.bar, 9) - 1.2


def _marks(bar: StripRun, at: _Place) -> Iterator[tuple[str, str]]:
    if bar.state == "skipped":
        yield _missed(at) if bar.reason == "missed" else _skipped(at)
        return
    if bar.state == "pending" and bar.crashed is None:
        wide = at.sizes.bar - 1.4
        yield "wait", f"M{_n(at.x - wide / 2)} {_n(at.sizes.height - 8)}h{_n(wide)}v7.3h{_n(-wide)}z"
        return
    high: float = at.high(bar.seconds)
    low = 0.0
    if bar.crashed is not None:
        part: float = round(high * min(bar.crashed / (bar.seconds or bar.crashed or 1.0), 1.0))
        part = min(max(part, _LEAST), max(high - _LEAST, _LEAST))
        yield "crash", at.bar(0, part)
        low = part + _SPLIT
    if bar.state == "running":
        yield from _running(at, low, high)
    elif bar.state != "pending":  # of which only the crashed part is there
        yield _FILLS[bar.state], at.bar(low, high)
        if (bar.seconds or 0.0) * _P95_AT > at.p95:
            yield "over", _chevron(at)
    yield from _foot(bar, at)


def _running(at: _Place, low: float, high: float) -> Iterator[tuple[str, str]]:
    line = at.sizes.height * _P95_AT
    yield "run", at.bar(low, min(high, line) if low < line else high)
    if high > line and low < line:
        yield "long", at.bar(line, high)
    if high < line - 1:
        top, half, end = at.sizes.height - line, (at.sizes.bar - 1) / 2, _n(at.sizes.height - high)
        yield "ghost", f"M{_n(at.x - half)} {end}V{_n(top)}H{_n(at.x + half)}V{end}"


def _foot(bar: StripRun, at: _Place) -> Iterator[tuple[str, str]]:
    """Yield the mark below a bar, which tells its state without colour."""
    x, y = at.x - 2.5, at.below
    if bar.state == "failed":
        yield "foot bad", f"M{_n(x)} {_n(y)}l5 5m0-5l-5 5"
    elif bar.state == "cancelled":
        yield "foot can", f"M{_n(x)} {_n(y + 5)}l5-5"
    elif bar.crashed is not None:
        yield "foot crash", f"M{_n(x - 0.5)} {_n(y + 4.5)}l2-4 2 4 2-4"


def _chevron(at: _Place) -> str:
    """Return the notch of a bar that is cut."""
    half = _n(at.sizes.bar / 2)
    return f"M{_n(at.x - at.sizes.bar / 2)} 5l{half}-2 {half} 2"


def _skipped(at: _Place) -> tuple[str, str]:
    size = at.small
    x, y = at.x - size / 2, at.sizes.height - size - 1.1
    return "skip", f"M{_n(x)} {_n(y)}h{_n(size)}v{_n(size)}h{_n(-size)}z"


def _missed(at: _Place) -> tuple[str, str]:
    half = at.small / 2
    y, r = at.sizes.height - half - 1.1, _n(half)
    return "miss", f"M{_n(at.x - half)} {_n(y)}a{r} {r} 0 1 1 {_n(2 * half)} 0a{r} {r} 0 1 1 {_n(-2 * half)} 0"


def _n(value: float) -> str:
    """Return a number for a path, without what nobody sees."""
    return f"{value:.1f}".removesuffix(".0")
