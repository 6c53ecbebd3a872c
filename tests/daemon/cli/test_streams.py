"""Standard output: it has the answer of the command alone, and may be closed or full."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

pytestmark = [pytest.mark.usefixtures("processes"), pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")]
FILE = """
import os
print("printed as it is loaded")
os.system("echo by a child")
from daemon import Schedules
schedules = Schedules("shop")
schedules.add("nightly", cron="0 2 * * *").command("true", "true")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "printing.py").write_text(FILE)
    return tmp_path / "printing.py"


def shell(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of `leased` in a shell, which sets up its streams."""
    leased = f"{shlex.quote(sys.executable)} -P -m leased {command}"
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        ["/bin/sh", "-c", leased], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def test_what_file_prints_as_it_is_loaded_goes_to_stderr(file: Path) -> None:
    ended = shell("check --json printing.py", file.parent)
    assert json.loads(ended.stdout)["application"] == "shop"
    assert {"printed as it is loaded", "by a child"} <= set(ended.stderr.splitlines())


@pytest.mark.parametrize("command", ["check printing.py", "--version"])
def test_a_closed_stdout_is_silence(file: Path, command: str) -> None:
    ended = shell(f"{command} >&-", file.parent)
    assert ended.returncode == 0
    assert not {line for line in ended.stderr.splitlines() if line not in ("printed as it is loaded", "by a child")}


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.sampled(1)
def test_a_full_device_is_what_the_output_cannot_be_written_to(file: Path, unbuffered: str) -> None:
    ended = shell("schema >/dev/full", file.parent, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 1
    assert ended.stderr == "leased: the output cannot be written: No space left on device\n"
