"""An async job that blocks the event loop in a call that nothing interrupts, and its innocent neighbours."""

import threading

from daemon import AsyncRun, Run, Schedules
from tests.support.telling import LONGEST_WAIT, NEVER, command, opens, tell, wait_for

schedules = Schedules("blocker")


@schedules.cron(NEVER, timeout="3s")
async def blocker(run: AsyncRun) -> None:
    tell("began", run)
    gate = threading.Lock()
    gate.acquire()
    gate.acquire(timeout=LONGEST_WAIT)


@schedules.cron(NEVER, timeout="60s")
async def task(run: AsyncRun) -> None:
    tell("began", run)
    await opens("gate")


@schedules.cron(NEVER, timeout="60s")
def process(run: Run) -> None:
    tell("began", run)
    wait_for("gate")


schedules.add("command", cron=NEVER).command("command", command("command", "tell=began", "wait=gate"), timeout="60s")
