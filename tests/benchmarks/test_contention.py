"""The benchmark works, proves what it says, and says what is wrong in one sentence. Its figures are no matter of a test."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contention.__main__ import main
from benchmarks.contention.proof import Proof
from benchmarks.errors import BenchmarkError
from tests.support.databases import Server
from tests.support.programs import ran
from tests.support.waiting import LIMIT

TINY = ["--quick", "--schedules", "20", "--replicas", "1,2", "--places", "4", "--finished", "100"]


def measured(tmp_path: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "error", "-m", "benchmarks.contention", *TINY, *options]
    done = ran([*command, "--json", tmp_path / "figures.json"], limit=2 * LIMIT)
    assert done.returncode == 0, done.stderr
    assert "each ran exactly once" in done.stdout
    document: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    return document


def check_shape(document: dict[str, Any], database: str) -> None:
    assert document["schema"] == "leased/bench/contention/1"
    assert set(document["machine"]) == {"cores", "system", "python", "flush"}
    assert document["size"]["schedules"] == 20
    (series,) = document["items"]
    assert (series["database"], series["durable"] in (True, False)) == (database, True)
    assert [row["replicas"] for row in series["contention"]] == [1, 2]
    assert series["contention"][0]["ratio"] == 1.0
    for row in series["contention"]:
        assert row["runs_per_second"] > 0
        assert row["claim_p99"] >= row["claim_p50"] > 0
        assert row["tried_again"] == 0
        assert 0 < row["commits_per_run"] < 1, "one for the claim of a set, one for its ends"
        assert {count for trial in row["trials"] for count in trial["proof"].values()} == {20}
    assert series["flatness"]["finished_runs"] == 100
    assert series["flatness"]["ratio"] > 0


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_replicas_on_sqlite_run_every_due_schedule_exactly_once(tmp_path: Path) -> None:
    document = measured(tmp_path, "--only", "sqlite")
    check_shape(document, "sqlite")
    assert str(tmp_path) not in json.dumps(document)


@pytest.mark.extended
def test_replicas_on_postgresql_run_every_due_schedule_exactly_once(tmp_path: Path, postgres_server: Server) -> None:
    document = measured(tmp_path, "--only", "postgresql", "--database", postgres_server.url)
    check_shape(document, "postgresql")
    assert document["items"][0]["durable"] is (document["items"][0]["settings"]["fsync"] == "on")
    assert [row["deadlocks"] for row in document["items"][0]["contention"]] == [0, 0]


@pytest.mark.parametrize("field", list(asdict(Proof(*range(8)))))
def test_a_run_that_was_lost_or_doubled_is_no_result(field: str) -> None:
    proof = Proof(20, 20, 20, 20, 20, 20, 20, 20)
    proof.check(20)
    for count in (19, 21):
        with pytest.raises(BenchmarkError, match=f"exactly once: {field} is {count}"):
            replace(proof, **{field: count}).check(20)


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["--replicas", "2,4"], 2, "must have 1"),
        (["--rounds", "0"], 2, "not a whole number above 0"),
        (["--database", "sqlite:///x.db"], 2, "takes the URL of a PostgreSQL server"),
        (["--json", "no-such-folder/x.json"], 2, "is not there"),
        (["--only", "postgresql", "--database", "postgresql://u:secret@127.0.0.1:1/x"], 1, "refused"),
    ],
    ids=["replicas", "rounds", "database", "json", "unreachable"],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    options: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended: object = main(["--quick", *options])
    except SystemExit as exit_:
        ended = exit_.code
    said = capsys.readouterr().err
    assert ended == status
    assert said.count("\n") == 1
    assert sentence in said
    assert "secret" not in said
