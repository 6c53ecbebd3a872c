"""A function in its own process that waits for the gate of its name."""

from daemon import Run, Schedules
from tests.support.telling import tell, wait_for

schedules = Schedules("standing")


@schedules.cron("0 3 1 1 *")
def one(run: Run) -> None:
    tell("began", run)
    wait_for("one")
