"""The page is made of the document alone, has every benchmark, and says which bounds are kept."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.document import Part, read_document
from benchmarks.figures import Figure, Floor, at_least
from benchmarks.options import KEPT, read_options
from benchmarks.page.page import page, write_page
from benchmarks.page.pictures import pictures
from benchmarks.page.svg import Bar, Curve, bars, curves
from benchmarks.registry import BENCHMARKS, KEYS

ROOT = Path(__file__).parent.parent.parent
MACHINE = {"cores": 2, "system": "Linux x86_64", "python": "3.13.5", "flush": 0.0002}
FAST = Figure("leased, at concurrency 10", "runs/s", (900.0, 800.0), "sqlite", Floor("sqlite3", (1800.0, 1600.0)))
SLOW = Figure("leased, at concurrency 10", "runs/s", (400.0,), "postgresql", must=at_least(500))
SIZES = [
    Figure(f"claim: 10 schedules, {runs} runs, 1 pending", "ms", (value,), "sqlite")
    for runs, value in (("100", 1.0), ("1,000", 3.0))
]


def part(*figures: Figure) -> Part:
    return Part("2026-01-02", False, 12.0, MACHINE, {"Python": "3.13.5", "sqlite": "3.46.1"}, figures, ("Redis: no.",))


def test_the_page_has_each_benchmark_and_says_how_one_that_is_missing_is_measured() -> None:
    text = page({"runs": part(FAST, SLOW)})
    for benchmark in BENCHMARKS:
        assert f"## {benchmark.title}\n" in text
        assert (f"make bench ONLY={benchmark.key}`" in text) is (benchmark.key != "runs")


def test_the_page_begins_with_what_is_not_met() -> None:
    text = page({"runs": part(FAST, SLOW)})
    assert "0 of 1 bounds are met. Not met:" in text
    assert (
        "| [Runs a second](#runs-a-second) | leased, at concurrency 10 | PostgreSQL | 400 runs/s | at least 500 |"
        in text
    )
    kept = page({"runs": part(FAST, replace(SLOW, rounds=(500.0,)))})
    assert "1 of 1 bounds are met.\n" in kept
    hurried = page({"runs": replace(part(FAST, SLOW), quick=True)})
    assert "0 of 0 bounds are met." in hurried
    assert "Measured in a hurry, and not judged here: Runs a second." in hurried


def test_pictures_are_drawn_of_what_there_is_and_shown_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_page({"runs": part(FAST, SLOW), "growth": part(*SIZES)}, tmp_path)
    written = sorted(file.name for file in (tmp_path / "images").iterdir())
    assert written == ["benchmarks-growth.svg", "benchmarks-musts.svg", "benchmarks-runs.svg"]
    text = (tmp_path / "benchmarks.md").read_text()
    assert sorted(re.findall(r"\(images/(.*?)\)", text)) == written
    assert list(pictures({"runs": part(FAST)})) == ["benchmarks-musts", "benchmarks-runs"]


def test_a_picture_is_xml_for_light_and_dark_and_cuts_off_what_is_too_long() -> None:
    drawn = bars("A & B", "text", [Bar("one < two", 9.0, good=False), Bar("half", 0.5)], most=4.0, line=1.0)
    ET.fromstring(drawn)  # noqa: S314 - our own
    assert "prefers-color-scheme: dark" in drawn
    widths = [float(width) for width in re.findall(r'<rect class="(?:good|other)".*? width="([\d.]+)"', drawn)]
    assert widths[0] == pytest.approx(8 * widths[1], rel=0.01)
    grown = [Curve("claim", ((100.0, 1.0), (1000.0, 3.0))), Curve("flat", ((100.0, 1.0),))]
    ET.fromstring(curves("Growth", "text", grown))  # noqa: S314 - our own


def test_the_page_and_its_pictures_are_those_of_the_figures_that_are_kept() -> None:
    """`python -m benchmarks --only none --page` writes them again."""
    kept = read_document(KEPT)
    drawn = pictures(kept)
    assert (ROOT / "docs" / "internals" / "benchmarks.md").read_text() == page(kept, tuple(drawn))
    assert {name: (ROOT / "docs" / "internals" / "images" / f"{name}.svg").read_text() for name in drawn} == drawn


def test_parts_are_chosen_by_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_options(["--only", "trigger,claims"]).only == ("claims", "trigger")
    assert read_options(["--only", "none"]).only == ()
    assert read_options([]).only == KEYS
    with pytest.raises(SystemExit):
        read_options(["--only", "claims,speed"])
    assert "there is no benchmark 'speed'" in capsys.readouterr().err
