"""A job that kills its replica each time, and its innocent neighbours of each kind."""

import os
import signal

from daemon import AsyncRun, Run, Schedules
from tests.support.telling import NEVER, command, events, opens, tell, wait_for, waits_for

NEIGHBOURS = int(os.environ["STORY_NEIGHBOURS"])

schedules = Schedules("killer")


def all_began(attempt: int) -> bool:
    """Return whether each neighbour has begun this attempt."""
    return len([one for one in events() if one["job"] != "killer" and one["attempt"] == attempt]) == 3 * NEIGHBOURS


@schedules.cron(NEVER)
async def killer(run: AsyncRun) -> None:
    tell("began", run)
    if run.attempt < 3:  # then it is alone
        await waits_for(lambda: all_began(run.attempt))
    os.kill(os.getpid(), signal.SIGKILL)


async def task(run: AsyncRun) -> None:
    tell("began", run)
    await opens("gate")


def process(run: Run) -> None:
    tell("began", run)
    wait_for("gate")


for number in range(NEIGHBOURS):
    schedules.add(f"task-{number}", cron=NEVER).job(name="task")(task)
    schedules.add(f"process-{number}", cron=NEVER).job(name="process")(process)
    schedules.add(f"command-{number}", cron=NEVER).command("command", command("command", "tell=began", "wait=gate"))
