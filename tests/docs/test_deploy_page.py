"""What the pages say of deploys, and of a start at a terminal, is what happens."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from daemon.definitions.application import Application
from daemon.scheduling.deploys.superseding import Superseding
from daemon.scheduling.deploys.sync import SyncReport
from tests.support.store import a_schedule, an_application
from tests.support.waiting import LIMIT

from .pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "operate" / "deploy.md"
REFERENCE = ROOT / "docs" / "reference" / "command.md"


def shown(application: Application) -> str:
    who, report = "3 replicas on web1, web2 run generation 7", SyncReport(retired=("billing",))
    return Superseding(application, who, report).refusal()


def test_the_error_at_a_terminal_is_the_one_that_is_shown() -> None:
    application = an_application(a_schedule("orders"))
    quoted = [line[2:] for line in REFERENCE.read_text().splitlines() if line.startswith("> ")]
    assert shown(application) in " ".join(quoted)
    assert "LEASED_REVISION" not in shown(dataclasses.replace(application, revision=8))


def test_the_release_of_the_page_has_the_number_of_its_build(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BUILD_NUMBER": "42"}
    subprocess.run([sys.executable, "-P", "-m", "leased", "init"], cwd=tmp_path, env=environment, check=True)
    (command,) = [block for block in blocks(PAGE, "sh") if "BUILD_NUMBER" in block]
    leased = f'leased() {{ {sys.executable} -P -m leased "$@" --no-web --until-idle; }}; '
    done = subprocess.run(
        ["sh", "-c", leased + command + f"\n{sys.executable} -P -m leased generations"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    assert " 42 " in done.stdout
