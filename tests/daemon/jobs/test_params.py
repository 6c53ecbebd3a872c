"""The parameters of a run on their way to a child: in its environment, or in a file that is gone at the end."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.brief import LONGEST_VARIABLE, hand_over, received
from daemon.jobs.processes.child import Child
from daemon.jobs.processes.spawn import ChildNotStarted, start_keeper
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.templates.templates import Template
from tests.daemon.jobs.conftest import Start, end_of, printed
from tests.daemon.jobs.ways import WAYS, wait_until_ended
from tests.support.programs import ran
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.sampled(1)]

LARGE = {"rows": "ä" * 100_000}
SIZES = 'printf %s "${LEASED_PARAMS-}" | wc -c; cat "${LEASED_PARAMS_FILE-/dev/null}" | wc -c'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which is empty in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert files(tmp_path) == 0


def files(folder: Path) -> int:
    return len(list(folder.iterdir()))


async def handed(start: Start, params: Mapping[str, Any], *argv: str) -> Child:
    environment = dict(os.environ)
    return await start(*argv, remove=hand_over(params, environment), env=environment)


async def sizes(start: Start, params: Mapping[str, Any]) -> list[str]:
    child = await handed(start, params, "sh", "-c", SIZES)
    await child.go()
    await end_of(child)
    return printed(child).split()


def test_where_they_fit_they_are_a_variable() -> None:
    environment = {"LEASED_PARAMS_FILE": "of the job that runs leased"}
    assert hand_over({"n": 1}, environment) is None
    assert environment == {"LEASED_PARAMS": '{"n": 1}'}
    assert received(environment) == {"n": 1}


def test_beyond_what_a_variable_may_have_they_are_a_file_of_its_owner_alone() -> None:
    environment = {"LEASED_PARAMS": "of the job that runs leased"}
    path = hand_over(LARGE, environment)
    assert environment == {"LEASED_PARAMS_FILE": path}
    assert path is not None
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert received(environment) == LARGE
    Path(path).unlink()


async def test_the_longest_variable_is_one_that_the_system_takes_and_one_more_byte_goes_into_the_file(
    start: Start,
) -> None:
    longest = LONGEST_VARIABLE - len("LEASED_PARAMS=")
    fill = longest - len(json.dumps({"x": ""}))
    assert await sizes(start, {"x": "y" * fill}) == [str(longest), "0"]
    assert await sizes(start, {"x": "y" * (fill + 1)}) == ["0", str(longest + 1)]


async def test_the_file_goes_also_where_the_keeper_is_killed(start: Start, folder: Path) -> None:
    child = await handed(start, LARGE, "sleep", "1000")
    await child.go()
    assert files(folder) == 1
    os.kill(child.keeper.pid, signal.SIGKILL)
    assert (await end_of(child)).why == "abandoned"
    assert files(folder) == 0


async def test_the_file_goes_also_where_the_command_is_never_run(start: Start) -> None:
    with pytest.raises(ChildNotStarted, match="not a command"):
        await handed(start, LARGE)
    missing = await handed(start, LARGE, "no-such-command")
    with pytest.raises(ChildNotStarted, match="command not found"):
        await missing.go()
    await handed(start, LARGE, "true")  # which is killed before it was started


def test_the_file_goes_also_where_the_replica_dies(trust: TrustPage, template: Template | None, folder: Path) -> None:
    """Its keeper outlives it."""
    path = hand_over(LARGE, {})
    kept = start_keeper(["sleep", "1000"], None, dict(os.environ), trust, remove=path, template=template)
    kept.control.setblocking(True)
    kept.control.sendall(kept.order)
    assert b"started" in kept.control.recv(100)
    kept.control.close()
    wait_until_ended(kept.process)
    assert files(folder) == 0
    os.close(kept.printed)


DIES = """
import os, sys
from daemon.jobs.processes.spawn import start_keeper
from tests.daemon.jobs.trust import a_page
from tests.daemon.jobs.ways import one_way
with one_way(sys.argv[1]) as template:
    start_keeper(["true"], None, dict(os.environ), a_page(1e12), remove=sys.argv[2], template=template)
    os._exit(0)
"""


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("way", WAYS)
def test_the_file_goes_also_where_the_replica_dies_before_the_command_is_run(folder: Path, way: str) -> None:
    path = hand_over(LARGE, {})
    assert path is not None
    ran([sys.executable, "-c", DIES, way, path])
    wait_until(lambda: files(folder) == 0, "the file is gone")
