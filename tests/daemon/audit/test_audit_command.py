"""`leased audit`, as people and programs use it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import main
from daemon.store.tables import run
from tests.support.store import Store, a_schedule

from .corruptions import CORRUPTIONS
from .story import Story, make, write


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Story]:
    path = tmp_path_factory.mktemp("story") / "leased.db"
    shutil.copy(sqlite_template, path)
    with Store(f"sqlite:///{path}") as store:
        return path, make(store)


@pytest.fixture
def story(made: tuple[Path, Story], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """The story of the database in the current folder, where the command looks by itself."""
    shutil.copy(made[0], tmp_path / "leased.db")
    monkeypatch.delenv("LEASED_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return made[1]


@pytest.fixture
def database(story: Story) -> Store:
    return Store("sqlite:///leased.db")


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_clean_history_is_one_line_and_status_0(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"no violations found in [0-9,]+ runs since .*Z \(13 schedules, [0-9,]+ scheduled times, [0-9,]+ grants\)", line
    )


def test_a_violation_is_one_line_and_status_1(
    database: Store, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    promise, named = CORRUPTIONS["a lease set back"](database, story)
    assert main(["audit"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("1 violation found in ")
    assert second == f"{promise}: {named}"


def test_of_many_violations_the_first_are_shown_and_the_others_counted(
    database: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    write(database, run, run.c.schedule == "ticks", run.c.state == "skipped", trigger="manual")
    assert main(["audit"]) == 1
    first, *shown, last = capsys.readouterr().out.splitlines()
    count = int(first.partition(" violations found in ")[0].replace(",", ""))
    assert len(shown) == 100
    assert all(line.startswith('instants: no run accounts for "shop/ticks" at ') for line in shown)
    assert last == f"and {count - 100:,} more; --json has them all"
    assert main(["audit", "--json"]) == 1
    assert len(document(capsys)["items"]) == count


def test_json_has_the_counts_and_where_to_look(
    database: Store, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--json"]) == 0
    clean = document(capsys)
    assert clean["schema"] == "leased/audit/1"
    assert (clean["ok"], clean["items"], clean["remarks"], clean["schedules"]) == (True, [], [], 13)
    assert min(clean["runs"], clean["instants"], clean["grants"]) > 10
    CORRUPTIONS["a job that succeeded twice"](database, story)
    CORRUPTIONS["a lease set back"](database, story)
    assert main(["audit", "--json"]) == 1
    found = document(capsys)
    token, job = found["items"]
    done = story.succeeded[0].run_id
    assert (found["ok"], token["promise"], token["leases"]) == (False, "tokens", ["the line"])
    assert job == {
        "promise": "effects",
        "what": f'job "zones" of run {done} of "shop/hourly" has succeeded 2 times',
        "schedules": ["shop/hourly"],
        "runs": [done],
        "leases": [],
    }


def test_one_application_can_be_named(database: Store, story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    CORRUPTIONS["a lease deleted"](database, story)
    assert main(["audit", "--application", "shop"]) == 1
    capsys.readouterr()
    database.sync(a_schedule(), application="bank")
    assert main(["audit", "--application", "bank"]) == 0
    assert capsys.readouterr().out == "no violations found in 0 runs (1 schedule, 0 scheduled times, 0 grants)\n"
    assert main(["audit", "--application", "bakn"]) == 1
    assert 'did you mean "bank"?' in capsys.readouterr().err
