"""What the reference says of a start at a terminal is what comes."""

import dataclasses

from daemon.definitions.application import Application
from daemon.scheduling.deploys.bring import Superseding
from daemon.scheduling.deploys.sync import SyncReport
from tests.support.store import a_schedule, an_application

from .pages import ROOT

REFERENCE = ROOT / "docs" / "reference" / "command.md"


def shown(application: Application) -> str:
    who, report = "3 replicas on web1, web2 run generation 7", SyncReport(retired=("billing",))
    return Superseding(application, who, report).refusal()


def test_the_error_at_a_terminal_is_the_one_that_is_shown() -> None:
    application = an_application(a_schedule("orders"))
    quoted = [line[2:] for line in REFERENCE.read_text().splitlines() if line.startswith("> ")]
    assert shown(application) in " ".join(quoted)
    assert "LEASED_REVISION" not in shown(dataclasses.replace(application, revision=8))
