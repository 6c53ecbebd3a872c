"""0.1.0 and this version on one database, each in processes of its own: never two holders."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lease.stores import Tables
from tests.support.loading import ROOT
from tests.support.waiting import LIMIT, wait_until

FIRST = "c0064ae"
"""The last commit whose library had the table, the waiting and the notifications of 0.1.0."""
TTL = 4.5
TURNS = 40
PROGRAM = """
import os, sys, time
folder, url, task, marker, ttl = sys.argv[1:]
sys.path.insert(0, folder)
import lease
assert lease.__file__.startswith(folder), lease.__file__
from lease.sync import LeaseClient

def taken(client):
    while (held := client.try_acquire("shared")) is None:
        time.sleep(0.003)
    return held

with LeaseClient(url, timing=lease.LeaseTiming(ttl=float(ttl), renew_every=0.25), on_event=lambda event: None) as client:
    print("open", flush=True)
    if task == "turns":
        for _ in range(int(os.environ["TURNS"])):
            held = taken(client)
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))  # fails where another is in here too
            print(held.token, flush=True)
            time.sleep(0.01)
            os.unlink(marker)
            assert held.release()
            time.sleep(0.003)
    else:
        print(taken(client).token, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the library as it was."""
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", FIRST, "lease"], capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.skip(f"the history of this folder has no commit {FIRST}")
    folder = tmp_path_factory.mktemp("first")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@contextmanager
def client_of(folder: Path, url: str, task: str, marker: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process with a client of the library in ``folder``, open when this returns."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), url, task, str(marker), str(TTL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"TURNS": str(TURNS)},
    ) as process:
        try:
            assert said_by(process) == "open"
            yield process
        finally:
            process.kill()


def said_by(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(1)
def test_turns_of_both_never_overlap(first: Path, database_url: str, tmp_path: Path) -> None:
    with (
        client_of(first, database_url, "turns", tmp_path / "inside") as old,
        client_of(ROOT, database_url, "turns", tmp_path / "inside") as new,
    ):
        # `communicate` would miss what has been read ahead with the first line.
        tokens = [[int(line) for line in process.stdout or ()] for process in (old, new)]
        assert (old.wait(LIMIT), new.wait(LIMIT)) == (0, 0)
    assert [len(one) for one in tokens] == [TURNS, TURNS]
    assert len({*tokens[0], *tokens[1]}) == 2 * TURNS, "no token twice"
    assert all(of_one == sorted(of_one) for of_one in tokens)


@pytest.mark.extended
@pytest.mark.parametrize("dies", ["old", "new"])
@pytest.mark.usefixtures("processes", "passing_seconds")
def test_either_takes_over_from_the_other_when_that_is_dead_and_not_before(
    first: Path, database_url: str, tmp_path: Path, dies: str
) -> None:
    holds, takes = (first, ROOT) if dies == "old" else (ROOT, first)
    with client_of(holds, database_url, "hold", tmp_path / "none") as holder:
        assert said_by(holder) == "1"
        with client_of(takes, database_url, "hold", tmp_path / "none") as other, Tables(database_url) as tables:
            wait_until(lambda: (tables.record("shared").held_for or 0.0) > 1.3 * TTL, "the first grant was renewed")
            assert (tables.record("shared").token, holder.poll()) == (1, None)
            holder.kill()
            holder.wait()
            assert said_by(other) == "2"
