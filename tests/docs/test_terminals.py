"""What the documentation shows of a terminal is what comes: where its commands are typed, and at a start there."""

import dataclasses
from pathlib import Path

import pytest

from daemon.definitions.application import Application
from daemon.scheduling.deploys.bring import Superseding
from daemon.scheduling.deploys.sync import SyncReport
from tests.docs.pages import ROOT, name_of
from tests.support.store import a_schedule, an_application
from tools.terminals import PAGES, blocks, normalised, played

REFERENCE = ROOT / "docs" / "reference" / "command.md"


@pytest.mark.extended
@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_terminal_shows_what_comes(page: Path) -> None:
    shown = [normalised(block) for block in blocks(page)]
    assert [normalised(block) for block in played(page, hurried=True)] == shown, "run make docs"


def shown(application: Application) -> str:
    who, report = "3 replicas on web1, web2 run generation 7", SyncReport(retired=("billing",))
    return Superseding(application, who, report).refusal()


def test_the_error_at_a_terminal_is_the_one_that_is_shown() -> None:
    application = an_application(a_schedule("orders"))
    quoted = [line[2:] for line in REFERENCE.read_text().splitlines() if line.startswith("> ")]
    assert shown(application) in " ".join(quoted)
    assert "LEASED_REVISION" not in shown(dataclasses.replace(application, revision=8))
