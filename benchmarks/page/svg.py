"""Charts as SVG, plain, and fit for a light and a dark page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import log10
from xml.sax.saxutils import escape

from .numbers import TIMES, shown

_WIDTH = 920
_ROW = 24
_LABELS = 480
_ROOM = 110
"""For the number behind a bar."""
_STYLE = """<style>
    .page { fill: #ffffff; stroke: #cbd5e1 } .text { fill: #0f172a } .quiet { fill: #475569 } .axis { stroke: #94a3b8 }
    .good { fill: #1d6fb8 } .other { fill: #b45309 } .line { stroke: #15803d } .curve { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f172a; stroke: #334155 } .text { fill: #e2e8f0 } .quiet { fill: #94a3b8 } .axis { stroke: #475569 }
      .good { fill: #60a5fa } .other { fill: #f59e0b } .line { stroke: #4ade80 }
    }
  </style>"""
_COLOURS = (
    "#3b82f6",
    "#d97706",
    "#16a34a",
    "#db2777",
    "#7c3aed",
    "#0891b2",
    "#dc2626",
    "#65a30d",
    "#a855f7",
    "#78716c",
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, and what it is of."""

    label: str
    value: float
    good: bool = True
    """Shown in the first colour; otherwise in the second."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve: points of x and y, both above 0."""

    label: str
    points: tuple[tuple[float, float], ...]


def bars(
    title: str,
    text: str,
    shown_bars: Sequence[Bar],
    *,
    most: float | None = None,
    line: float | None = None,
    unit: str = "",
) -> str:
    """Draw bars below each other; one longer than ``most`` is cut off, and there may be a ``line`` across all."""
    top = 64
    largest = min(most or float("inf"), max((bar.value for bar in shown_bars), default=1.0)) or 1.0
    scale = (_WIDTH - _LABELS - _ROOM) / largest
    height = top + _ROW * len(shown_bars) + 16

    def drawn() -> Iterator[str]:
        if line is not None:
            x = _LABELS + line * scale
            yield f'<line class="line" x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{height - 12}" stroke-width="2"/>'
        for number, bar in enumerate(shown_bars):
            y = top + _ROW * number
            length = max(1.0, min(bar.value, largest) * scale)
            cut = " …" if bar.value > largest else ""
            kind = "good" if bar.good else "other"
            yield _text(_LABELS - 8, y + 13, bar.label, anchor="end")
            yield f'<rect class="{kind}" x="{_LABELS}" y="{y + 2}" width="{length:.1f}" height="15" rx="2"/>'
            yield _text(_LABELS + length + 6, y + 13, f"{shown(bar.value)}{unit and f' {unit}'}{cut}", "quiet")

    return _picture(title, text, height, drawn())


def curves(title: str, text: str, shown_curves: Sequence[Curve]) -> str:
    """Draw curves over logarithmic axes, and name each beside its end."""
    left, right, top, bottom = 60, 520, 76, 360
    xs = [log10(x) for curve in shown_curves for x, _ in curve.points]
    ys = [log10(y) for curve in shown_curves for _, y in curve.points]
    x_from, x_to, y_from, y_to = min(xs), max(*xs, min(xs) + 1), min(*ys, -0.3), max(*ys, 0.5)

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (log10(x) - x_from) / (x_to - x_from), (log10(y) - y_from) / (y_to - y_from)
        return left + across * (right - left), bottom - up * (bottom - top)

    def drawn() -> Iterator[str]:
        for y in _decades(y_from, y_to):
            _, at = place(10**x_from, y)
            yield f'<line class="axis" x1="{left}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke-dasharray="2 3"/>'
            yield _text(left - 6, at + 4, f"{y:g} {TIMES}", "quiet", anchor="end")
        for x in sorted({x for curve in shown_curves for x, _ in curve.points}):
            at, _ = place(x, 1)
            yield _text(at, bottom + 20, f"{x:,.0f}", "quiet", anchor="middle")
        named = sorted(shown_curves, key=lambda curve: -curve.points[-1][1])
        for number, (curve, colour) in enumerate(zip(named, cycle(_COLOURS), strict=False)):
            corners = [place(x, y) for x, y in curve.points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
            y = top + 6 + _ROW * number
            yield f'<polyline class="curve" points="{path}" stroke="{colour}"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in corners)
            yield f'<rect x="{right + 24}" y="{y - 4}" width="14" height="4" fill="{colour}"/>'
            yield _text(right + 46, y + 4, f"{curve.label}: {shown(curve.points[-1][1])} {TIMES}")

    return _picture(title, text, max(bottom + 40, top + _ROW * len(shown_curves) + 20), drawn())


def _decades(low: float, high: float) -> list[float]:
    return [factor * 10.0**power for power in range(-3, 6) for factor in (1, 3) if low <= log10(factor) + power <= high]


def _picture(title: str, text: str, height: float, drawn: Iterator[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        f'aria-labelledby="title desc" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" '
        f'font-size="13">'
    )
    lines = [
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(text)}</desc>',
        _STYLE,
        f'<rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1:g}" rx="10"/>',
        f'<text class="text" x="20" y="26" font-weight="600">{escape(title)}</text>',
        _text(20, 45, text, "quiet"),
        *drawn,
    ]
    return "\n  ".join([head, *lines]) + "\n</svg>\n"


def _text(x: float, y: float, text: str, kind: str = "text", *, anchor: str = "start") -> str:
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="12"{where}>{escape(text)}</text>'
