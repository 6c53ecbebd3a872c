"""A figure's ratio is of one and the same round, and a bound is kept by the median."""

from pathlib import Path

import pytest

from benchmarks.document import Part, as_json, read_document
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Floor, against, at_least, at_most

FLOOR = Floor("bare", (2.0, 1.0, 4.0))
FIGURE = Figure("work", "ms", (1.0, 2.0, 3.0), "sqlite", FLOOR, at_most(2.0), "a note")


def test_the_ratio_is_the_median_of_those_in_each_round() -> None:
    assert FIGURE.ratio == 0.75  # of 0.5, 2 and 0.75, where that of the medians would be 1
    assert Figure("work", "ms", (1.0,)).ratio is None
    assert against((1.0, 3.0), (0.0, 2.0)) == (1.5,), "nothing is a multiple of nothing"


@pytest.mark.parametrize(
    ("must", "rounds", "met"),
    [
        (at_most(2.0), (1.0, 2.0, 9.0), True),
        (at_most(2.0), (1.0, 2.1, 2.2), False),
        (at_least(2.0), (0.0, 2.0, 2.0), True),
        (at_least(2.0), (1.9, 1.0, 5.0), False),
        (at_most(0), (0.0,), True),
        (at_most(0), (1.0,), False),
        (None, (1.0,), None),
    ],
)
def test_a_bound_is_kept_by_the_median(must: object, rounds: tuple[float, ...], met: bool | None) -> None:
    assert Figure("work", "", rounds, must=must).met is met  # type: ignore[arg-type]


def test_what_is_used_of_a_bound_is_1_at_the_bound_whichever_way_it_looks() -> None:
    assert (at_most(4).share(2), at_most(4).share(8)) == (0.5, 2.0)
    assert (at_least(4).share(8), at_least(4).share(2), at_least(4).share(0)) == (0.5, 2.0, float("inf"))
    assert (at_most(0).share(0), at_most(0).share(1)) == (0.0, float("inf"))


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    part = Part("2026-01-02", False, 3.5, {"cores": 2}, {"Python": "3.13"}, (FIGURE, Figure("x", "", (0.0,))), ("No.",))
    file = tmp_path / "kept.json"
    file.write_text(as_json({"runs": part}))
    assert read_document(file) == {"runs": part}
    assert read_document(tmp_path / "none.json") == {}


def test_a_document_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text('{"schema": "leased/bench/contention/1"}')
    with pytest.raises(BenchmarkError, match="leased/bench/1"):
        read_document(file)
