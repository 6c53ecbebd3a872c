"""The pictures: which figures they show, and how."""

import re
from collections.abc import Mapping

from ..document import Document, Part
from ..figures import Figure
from ..registry import BENCHMARKS
from .numbers import TIMES
from .svg import Bar, Curve, bars, curves
from .tables import NAMES

_MOST_SHARE = 4.0
"""A bar that is longer is cut off."""
_SIZED = re.compile(r"(?P<what>.+): (?P<schedules>[\d,]+) schedules, (?P<runs>[\d,]+) runs")


def pictures(document: Document) -> Mapping[str, str]:
    """Return those that can be drawn, by name, as SVG."""
    drawn = {"benchmarks-musts": _musts(document)}
    if "runs" in document:
        drawn["benchmarks-runs"] = _runs(document["runs"])
    if "growth" in document and (picture := _growth(document["growth"])):
        drawn["benchmarks-growth"] = picture
    return drawn


def _musts(document: Document) -> str:
    """Draw how much of what is allowed each figure uses."""
    shown = [
        Bar(_named(benchmark.title, figure), figure.must.share(figure.median), good=bool(figure.met))
        for benchmark in BENCHMARKS
        if benchmark.key in document and not document[benchmark.key].quick
        for figure in document[benchmark.key].figures
        if figure.must is not None and figure.must.limit > 0
    ]
    title, text = "What was asked for", "Each figure as a share of what is allowed: up to the line it is met."
    return bars(title, text, shown, most=_MOST_SHARE, line=1.0, unit=TIMES)


def _runs(part: Part) -> str:
    shown = [
        Bar(f"{figure.label}, {NAMES[figure.database]}", figure.median, good=figure.label.startswith("leased"))
        for figure in part.figures
        if figure.unit == "runs/s"
    ]
    return bars("Runs a second", "No-op jobs a second, recorded: leased, and others in the same rounds.", shown)


def _growth(part: Part) -> str | None:
    found: dict[str, list[tuple[float, float]]] = {}
    for figure in part.figures:
        if match := _SIZED.match(figure.label):
            name = f"{match['what']}, {NAMES[figure.database]}"
            found.setdefault(name, []).append((float(match["runs"].replace(",", "")), figure.median))
    shown = [Curve(name, tuple((x, y / points[0][1]) for x, y in points)) for name, points in found.items()]
    text = "Time by the number of finished runs, against that in the smallest database; schedules and runs that wait grow too."
    return curves("Growth", text, shown) if shown else None


def _named(title: str, figure: Figure) -> str:
    return f"{title}: {figure.label}" + (f", {NAMES[figure.database]}" if figure.database else "")
