"""Measurements become figures, whose ratios are of one and the same round; and the cheapest benchmark runs to its end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.contention.flatness import Flatness
from benchmarks.contention.proof import Proof
from benchmarks.contention.series import Series
from benchmarks.contention.trial import Trial
from benchmarks.document import Part, as_json, read_document
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Floor, against, at_least, at_most
from benchmarks.locks.alternation import Measured
from benchmarks.locks.report import Report
from benchmarks.locks.waiters import HandOvers
from benchmarks.locks.waiters import Trial as Waiting
from benchmarks.machine import Machine
from benchmarks.measures import claims, locks
from benchmarks.measures.seconds import instants_within
from benchmarks.replicas.quantiles import quantile
from benchmarks.stores import Facts

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


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def by_label(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.label: figure for figure in figures}


def trial(replicas: int, speed: float, *, empty: int = 0) -> Trial:
    proof = Proof(*[20] * 8)
    return Trial(replicas, 1.0, speed, 2, empty, 0.008, 0.01, 1.2, 0.2, 0, 0, 0, 0.9, proof)


def test_claims_tell_the_most_replicas_against_the_best_of_the_same_round_and_every_empty_claim() -> None:
    facts = Facts("postgresql", "18.4", True, {})
    rounds = (
        (trial(1, 800.0), trial(8, 400.0, empty=1)),
        (trial(1, 300.0), trial(8, 600.0)),
        (trial(1, 1_000.0), trial(8, 800.0)),
    )
    shown = by_label(claims.figures(Series(facts, rounds, Flatness(100, 5, 0.007, 0.007, 1.0))))
    best = shown["8 replicas against the best"]
    assert (best.rounds, best.median, best.met) == ((0.5, 1.0, 0.8), 0.8, False)
    assert shown["8 replicas"].ratio == 0.8
    assert shown["empty claims, in all trials of a round"].rounds == (1.0, 0.0, 0.0)
    assert shown["8 replicas: claim, p50"].median == 8.0


def test_locks_tell_each_contender_against_its_yardstick_of_the_same_round() -> None:
    def report(bare: float, ours: float) -> Report:
        measured = [Measured("psycopg", bare, None, None), Measured("lease, sync", ours, "psycopg", ours / bare)]
        handed = [HandOvers(Waiting("redis-py", 4, 16, 2.0), 500.0, 2, 400, 0.9, None)]
        machine = Machine(2, "Linux", "3.13", 0.001)
        return Report(machine, {"acquire and release, postgresql 18.4": measured}, handed, None)

    shown = by_label(locks.figures([report(0.001, 0.002), report(0.004, 0.004)]))
    ours = shown["acquire and release: lease, sync"]
    assert (ours.database, ours.rounds, ours.ratio) == ("postgresql", (2.0, 4.0), 1.5)
    handed = shown["16 waiters in 4 processes: redis-py, hand-overs"]
    assert (handed.database, handed.median, handed.note) == ("redis", 500.0, "turns 2 to 400")
    assert shown["16 waiters in 4 processes: redis-py, overtaken"].median == 90.0


@pytest.mark.parametrize(
    ("first", "last", "number"),
    [(0.5, 0.5, 1), (-3.5, -0.5, 0), (-1.0, 0.0, 1), (0.0, 9.0, 10), (9.0, 10.0, 1), (10.0, 12.0, 0), (-2.5, 20.5, 10)],
)
def test_of_a_row_that_stands_for_several_instants_those_within_the_time_count(
    first: float, last: float, number: int
) -> None:
    assert instants_within(BEGIN, at(10), at(first), at(last)) == number


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 2.0, 3.0]


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_children_are_measured_from_beginning_to_end_and_other_parts_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    order = ["--quick", "--rounds", "1", "--on", "sqlite", "--json", str(kept)]
    assert main([*order, "--only", "children"]) == 0
    assert "start to first line, p50" in capsys.readouterr().out
    document = read_document(kept)
    shown = by_label(list(document["children"].figures))
    assert shown["start to first line, p50"].median > 0
    assert shown["memory of its own"].median > 0.1
    assert document["children"].quick
    assert main([*order, "--only", "none"]) == 0
    assert read_document(kept) == document


@pytest.mark.usefixtures("processes")
def test_what_cannot_be_measured_is_told_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    away = "postgresql://u:secret@127.0.0.1:1/x"
    assert main(["--quick", "--on", "postgresql", "--database", away, "--json", str(tmp_path / "kept.json")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "refused" in said
    assert "secret" not in said
