"""Under `nohup make test`, what tests start reacts to signals, and the run itself still does not."""

import sys
from pathlib import Path

import pytest

from tests.support.programs import ran

TEST = """
import os, signal, subprocess, pytest

@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_inherited(number, processes):
    os.kill(os.getpid(), number)
    assert subprocess.run(["sh", "-c", f"ulimit -c 0; kill -{number} $$"]).returncode == -number
"""
IGNORING = "trap '' HUP INT QUIT; exec \"$@\""


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.extended)])
def test_what_a_run_has_inherited_as_ignored_its_tests_do_not_pass_on(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_some.py").write_text(TEST)
    options = ["-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", workers]
    command = ["sh", "-c", IGNORING, "sh", sys.executable, "-P", "-m", "pytest", *options]
    done = ran(command, tmp_path, LEASED_TEST_POSTGRES="none")  # no such server, on purpose
    assert "3 passed" in done.stdout, done.stdout + done.stderr
