"""The benchmark of locks works; its figures are no matter of a test."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.locks.__main__ import main
from benchmarks.locks.alternation import alternate
from benchmarks.locks.waiters import Trial, Turn, summary
from tests.support.databases import Server

TRIAL = Trial("lease", processes=1, waiters=3, seconds=2.0)


def measured(tmp_path: Path, *options: str) -> dict[str, Any]:
    assert main(["--quick", *options, "--json", str(tmp_path / "figures.json")]) == 0
    document: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    assert document["schema"] == "leased/bench/locks/1"
    return document


@pytest.mark.usefixtures("passing_seconds")
def test_clients_are_compared_with_their_own_statements_on_sqlite(tmp_path: Path) -> None:
    (figures,) = measured(tmp_path, "--only", "sqlite")["measured"].values()
    assert [(one["name"], one["yardstick"]) for one in figures] == [
        ("sqlite3", None),
        ("lease, async", "sqlite3"),
        ("lease, sync", "sqlite3"),
    ]
    assert all(one["ratio"] > 0 for one in figures[1:])


@pytest.mark.extended
def test_clients_renewals_and_waiters_are_measured_on_postgresql(
    tmp_path: Path, postgres_server: Server, processes: None
) -> None:
    document = measured(
        tmp_path,
        *("--only", "postgresql", "--only", "renewals", "--only", "waiters"),
        *("--database", postgres_server.url),
    )
    assert len(document["measured"]) == 3
    leases = [one for one in document["hand_overs"] if one["trial"]["kind"] == "lease"]
    assert [one["trial"]["processes"] for one in leases] == [1, 4]
    assert all(one["per_second"] > 0 and one["commits"] >= 1 for one in leases)


def test_a_ratio_is_of_one_and_the_same_round() -> None:
    paces = iter([1.0, 1.0, 5.0, 2.0])
    times = {"bare": lambda number: [next(paces)] * number, "ours": lambda number: [2.0] * number}
    (bare, ours) = alternate(times, {"bare": None, "ours": "bare"}, number=3, batch=1)
    assert bare.ratio is None
    assert ours.ratio == 1.0


def test_a_turn_is_overtaken_by_one_who_asked_later() -> None:
    turns: list[Turn] = [("a", 0.0, 1.0), ("c", 0.5, 1.1), ("b", 0.2, 1.2), ("a", 1.1, 1.3)]
    done = summary(TRIAL, turns, turns, commits=8)
    assert (done.fewest, done.most, done.overtaken, done.commits, done.per_second) == (1, 2, 0.25, 2.0, 2.0)


def test_a_waiter_without_a_turn_counts_as_the_one_with_the_fewest() -> None:
    assert summary(TRIAL, [("a", 0.0, 1.0)], [("a", 0.0, 1.0)], commits=None).fewest == 0
    with pytest.raises(BenchmarkError, match="nobody"):
        summary(TRIAL, [], [], commits=None)
