"""The program that shows how to embed a replica runs under a web server as it stands, and says whether it is ready."""

import re
import shlex
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, started
from tests.support.waiting import LIMIT, wait_until

PAGE = ROOT / "docs" / "how-to" / "schedules" / "embed.md"


@pytest.mark.usefixtures("processes")
def test_the_application_that_is_shown_serves_is_ready_and_drains(tmp_path: Path) -> None:
    (program,), (lines,) = blocks(PAGE, "python"), blocks(PAGE, "sh")
    setting, *words = shlex.split(lines.splitlines()[1])
    name, _, value = setting.partition("=")
    (tmp_path / "app.py").write_text(program)
    with started(["-W", "error", "-m", *words, "--port", "0"], tmp_path, **{name: value}) as (server, log):
        wait_until(lambda: b"running on" in log.read_bytes() or server.poll() is not None, "it serves")
        found = re.search(r"running on (http://\S+)", log.read_text())
        assert found, log.read_text()
        with urllib.request.urlopen(f"{found[1]}/readyz", timeout=LIMIT) as answer:  # noqa: S310 - our own server
            assert (answer.status, answer.read()) == (200, b"{}")
        server.send_signal(signal.SIGTERM)
        assert server.wait(LIMIT) == -signal.SIGTERM
        assert "Application shutdown complete" in log.read_text()
