"""The table of a part: a line for each figure, a column for each kind of database."""

from collections.abc import Iterable, Sequence

from ..figures import Figure
from .numbers import TIMES, TO, bound, shown

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "redis": "Redis", "": "figure"}


def table(figures: Sequence[Figure]) -> list[str]:
    """Return its lines in Markdown."""
    databases = [name for name in NAMES if any(figure.database == name for figure in figures)]
    has_bounds = any(figure.must for figure in figures)
    headings = ["", *(NAMES[name] for name in databases), *(["must"] if has_bounds else [])]
    lines = [_row(headings), _row(["---"] + ["---:"] * len(databases) + ["---"] * has_bounds)]
    for label in dict.fromkeys(figure.label for figure in figures):
        here = {figure.database: figure for figure in figures if figure.label == label}
        unit = next(iter(here.values())).unit
        cells = [f"{label}, {unit}" if unit not in {"", "x"} else label]
        cells += [_cell(here[name]) if name in here else "" for name in databases]
        lines.append(_row([*cells, *([_bounds(here)] if has_bounds else [])]))
    return lines


def _cell(figure: Figure) -> str:
    low, high = (shown(value) for value in figure.range)
    text = shown(figure.median) + ("" if low == high else f" ({low}{TO}{high})")
    if figure.floor is not None and figure.ratio is not None:
        text += f"; {shown(figure.ratio)} {TIMES} {figure.floor.name}"
    if figure.note:
        text += f"; {figure.note}"
    return f"**{text}**" if figure.met is False else text


def _bounds(here: dict[str, Figure]) -> str:
    asked = {name: figure for name, figure in here.items() if figure.must is not None}
    if not asked:
        return ""
    said = {name: f"{bound(figure.must)}: {_verdict(figure)}" for name, figure in asked.items() if figure.must}
    if len(set(said.values())) == 1 and len(said) == len(here):
        return next(iter(said.values()))
    return "; ".join(f"{NAMES[name]} {text}" for name, text in said.items())


def _verdict(figure: Figure) -> str:
    return "met" if figure.met else "**not met**"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
