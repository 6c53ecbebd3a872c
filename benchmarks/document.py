"""The document: all figures as JSON, each part as it was last measured."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import BenchmarkError
from .figures import Figure, Floor, Must

SCHEMA = "leased/bench/1"


@dataclass(frozen=True, slots=True)
class Part:
    """The results of one benchmark, with their day and their machine."""

    day: str
    quick: bool
    """With less of everything: no figures to go by."""
    seconds: float
    """Its duration."""
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...]


Document = Mapping[str, Part]
"""By the key of the benchmark."""


def read_document(path: Path) -> Document:
    """Read the document; empty if it is not there. Raises `BenchmarkError` for one of another shape."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise BenchmarkError(f"{path.name} is not {SCHEMA}: move it away")
    return {key: _part(item) for key, item in found["items"].items()}


def as_json(document: Document) -> str:
    """Return its text; what follows from the rounds is written beside them, for readers."""
    items = {
        key: {**asdict(part), "figures": [_written(one) for one in part.figures]} for key, part in document.items()
    }
    return json.dumps({"schema": SCHEMA, "items": items}, indent=1, ensure_ascii=False) + "\n"


def _written(figure: Figure) -> dict[str, Any]:
    floor = figure.floor
    return {
        "label": figure.label,
        "unit": figure.unit,
        "database": figure.database,
        "rounds": [_rounded(value) for value in figure.rounds],
        "median": _rounded(figure.median),
        "range": [_rounded(value) for value in figure.range],
        "floor": floor and {"name": floor.name, "rounds": [_rounded(value) for value in floor.rounds]},
        "ratio": None if figure.ratio is None else _rounded(figure.ratio),
        "must": figure.must and asdict(figure.must),
        "met": figure.met,
        "note": figure.note,
    }


def _part(item: Mapping[str, Any]) -> Part:
    fields = {name: item[name] for name in ("day", "quick", "seconds", "machine", "versions")}
    return Part(**fields, figures=tuple(map(_figure, item["figures"])), left_out=tuple(item["left_out"]))


def _figure(item: Mapping[str, Any]) -> Figure:
    floor, must = item["floor"], item["must"]
    return Figure(
        label=item["label"],
        unit=item["unit"],
        rounds=tuple(item["rounds"]),
        database=item["database"],
        floor=floor and Floor(floor["name"], tuple(floor["rounds"])),
        must=must and Must(**must),
        note=item["note"],
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
