"""The lines that start a replica in a script, ask whether it is well, and let it reload FILE."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.docs.pages import ROOT, blocks, on_the_path
from tests.support.postgres import free_port
from tests.support.programs import ran
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("processes")]

RELOAD, SCRIPT = blocks(ROOT / "docs" / "reference" / "signals.md", "sh")
PROBES = blocks(ROOT / "docs" / "how-to" / "operate" / "alert-on-failures.md", "sh")[1]
FILE = "from daemon import Schedules\n\nschedules = Schedules('shop')\nschedules.add({!r}, cron='0 2 * * *').command('a', 'true')\n"
NAME = f"shop_{uuid4().hex}.py"
"""Of FILE: `pgrep` must find no replica of another test."""


class Script:
    """The page's script, with `leased` on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.write("before")
        self.environment = on_the_path(folder) | {"LEASED_WEB": f"127.0.0.1:{self.port}"}
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    SCRIPT.replace("shop.py", NAME),
                ],  # `pgrep` must not take this one, whose line it is in, too
                cwd=folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def write(self, name: str) -> None:
        (self.folder / NAME).write_text(FILE.format(name))

    def sh(self, line: str) -> subprocess.CompletedProcess[str]:
        return ran(["/bin/sh", "-ec", line], self.folder, self.environment)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    started = Script(tmp_path)
    yield started
    with suppress(ProcessLookupError):
        os.killpg(started.process.pid, signal.SIGKILL)  # what it has started, too
    started.process.wait()
    sys.stderr.write(started.log)


@pytest.mark.skipif(shutil.which("pgrep") is None, reason="the page's line needs pgrep: install procps")
def test_a_script_starts_a_replica_that_reloads_its_file_and_passes_its_end_on(script: Script) -> None:
    wait_until(lambda: "before" in script.sh("leased status").stdout, "it has begun")
    script.write("after")
    assert script.sh(RELOAD.replace("shop.py", NAME)).returncode == 0
    wait_until(lambda: "after" in script.sh("leased status").stdout, "FILE is loaded")
    script.process.send_signal(signal.SIGTERM)
    assert script.process.wait(LIMIT) == 128 + signal.SIGTERM
    wait_until(lambda: re.search("stopped after", script.log), "the replica ends, too")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's probes need curl: install it")
def test_the_probes_of_a_replica_answer(script: Script) -> None:
    ask = PROBES.replace(":8520/", f":{script.port}/")
    wait_until(lambda: script.sh(ask).returncode == 0, "it is alive and ready")
    script.process.send_signal(signal.SIGINT)
    wait_until(lambda: script.sh(ask).returncode in {7, 22}, "it is no longer ready")
