"""An ordinary week with a replica of the version before, which runs its own code from the repository's history."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.replicas import Story
from tests.support.starter import ROOT, Starter
from tests.support.waiting import wait_until

from .deploys import assert_nothing_is_lost, end

VERSION_0_1_0 = "3d071e42"
"""The last commit whose newest migration is that of 0.1.0."""
FILE = """
application = "shop"

[schedules.stays]
every = "0.5s"
jobs = [{{ name = "work", command = "true" }}]

[schedules.slowly]
cron = "0 3 1 1 *"
jobs = [{{ name = "work", command = "touch {folder}/began; until [ -e {folder}/gate ]; do sleep 0.1; done" }}]
"""


@pytest.fixture(scope="module")
def older_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of 0.1.0's code, which runs on today's dependencies."""
    packed = subprocess.run(["git", "-C", ROOT, "archive", VERSION_0_1_0], capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.skip("this story needs 0.1.0 from the repository's history; fetch it with `git fetch --unshallow`")
    folder = tmp_path_factory.mktemp("0.1.0")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def older(story_folder: Path, empty_database_url: str, older_code: Path) -> Iterator[Story]:
    """The replicas and commands of 0.1.0, on the database of `newer`."""
    starter = Starter(older_code)
    folder = story_folder / "older"
    folder.mkdir()
    with Story(folder, empty_database_url, starter) as told:
        yield told
    starter.end()


@pytest.fixture
def newer(story_folder: Path, empty_database_url: str, starter: Starter) -> Iterator[Story]:
    with Story(story_folder, empty_database_url, starter) as told:
        yield told


@pytest.mark.extended
def test_an_upgrade_beside_a_replica_of_the_version_before(older: Story, newer: Story, older_code: Path) -> None:
    code = {"PYTHONPATH": str(older_code)}
    file = newer.write_file("shop.toml", FILE.format(folder=newer.folder))
    older.output("db", "upgrade")
    old = older.start(file, environment=code)
    old.wait_for_line("schedules: 2 added")
    older.output("trigger", "slowly")
    wait_until((newer.folder / "began").exists, "a run is at work")

    newer.output("db", "upgrade")
    new = newer.start(file)
    newer.up(new)
    said = old.wait_for_line("so it starts no more runs")["message"]
    assert "restart it with the newer version" in said

    for _ in range(2):  # an orchestrator starts it again
        restarted = older.start(file, environment=code)
        assert restarted.wait() == 1
        assert "has the tables of a newer version of leased" in restarted.output
        assert "Traceback" not in restarted.output

    newer.over("stays", number=len(newer.runs("stays")) + 3)
    (newer.folder / "gate").touch()
    assert newer.over("slowly").state == "succeeded"
    assert newer.attempts("slowly") == [("work", 1, "succeeded")]
    assert [line["schedule"] for line in old.said("run succeeded")][-1] == "slowly"
    end(old)
    newer.over("stays", number=len(newer.runs("stays")) + 3)
    assert_nothing_is_lost(newer, "stays")
    assert new.status is None
