"""A strip of the last runs of a schedule: each a bar, as high as it took long, and one path for each state."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....states import RunState
from ....store.views.strips import StripRun
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


SMALL = Sizes()
LARGE = Sizes(bar=14, gap=6, height=72, foot=12)


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip, ready to be drawn."""

    width: float
    height: float
    base: float
    p95: float | None
    """Where the line of the p95 is; None: it is not known."""
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
        base=sizes.height + 0.5,
        p95=None if p95 is None else round(sizes.height * (1 - _P95_AT), 1),
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
    """Where a bar stands, and the measures of its strip."""

    x: float
    p95: float
    sizes: Sizes

    def high(self, seconds: float | None) -> float:
        """Return how high a bar of this duration is; it is cut where that is more than the strip."""
        return min(max((seconds or 0.0) / self.p95 * self.sizes.height * _P95_AT, _LEAST), self.sizes.height)

    def bar(self, low: float, high: float) -> str:
        """Return a bar from one height above the baseline to another."""
        wide, tall = self.sizes.bar, max(high - low, 0.5)
        return f"M{_n(self.x)} {_n(self.sizes.height - high)}h{_n(wide)}v{_n(tall)}h{_n(-wide)}z"

    @property
    def middle(self) -> float:
        return self.x + self.sizes.bar / 2

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
        yield (
            "wait",
            f"M{_n(at.x + 0.7)} {_n(at.sizes.height - 8)}h{_n(at.sizes.bar - 1.4)}v7.3h{_n(1.4 - at.sizes.bar)}z",
        )
        return
    high, low = at.high(bar.seconds), 0.0
    if bar.crashed is not None:
        part = min(max(high * bar.crashed / (bar.seconds or bar.crashed or 1.0), _LEAST), max(high - _LEAST, _LEAST))
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
        top, left, right = at.sizes.height - line, at.x + 0.5, at.x + at.sizes.bar - 0.5
        yield "ghost", f"M{_n(left)} {_n(at.sizes.height - high)}V{_n(top)}H{_n(right)}V{_n(at.sizes.height - high)}"


def _foot(bar: StripRun, at: _Place) -> Iterator[tuple[str, str]]:
    """Yield the mark below a bar, which tells its state without colour."""
    x, y = at.middle - 2.5, at.below
    if bar.state == "failed":
        yield "foot bad", f"M{_n(x)} {_n(y)}l5 5m0-5l-5 5"
    elif bar.state == "cancelled":
        yield "foot can", f"M{_n(x)} {_n(y + 5)}l5-5"
    elif bar.crashed is not None:
        yield "foot crash", f"M{_n(x - 0.5)} {_n(y + 4.5)}l2-4 2 4 2-4"


def _chevron(at: _Place) -> str:
    """Return the notch of a bar that is cut."""
    half = at.sizes.bar / 2
    return f"M{_n(at.x)} 5l{_n(half)}-2 {_n(half)} 2"


def _skipped(at: _Place) -> tuple[str, str]:
    size = at.small
    x, y = at.middle - size / 2, at.sizes.height - size - 1.1
    return "skip", f"M{_n(x)} {_n(y)}h{_n(size)}v{_n(size)}h{_n(-size)}z"


def _missed(at: _Place) -> tuple[str, str]:
    half = at.small / 2
    x, y, r = at.middle - half, at.sizes.height - half - 1.1, _n(half)
    return "miss", f"M{_n(x)} {_n(y)}a{r} {r} 0 1 1 {_n(2 * half)} 0a{r} {r} 0 1 1 {_n(-2 * half)} 0"


def _n(value: float) -> str:
    """Return a number for a path, without what nobody sees."""
    return f"{value:.1f}".removesuffix(".0")
