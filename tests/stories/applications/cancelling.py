"""Jobs that go on until they are stopped: a command that takes no notice of SIGTERM, and an async one."""

import asyncio

from daemon import AsyncRun, Schedules
from tests.support.telling import command, tell

NEVER = "0 3 1 1 *"

schedules = Schedules("cancelling")
deaf = schedules.add("deaf", cron=NEVER)
deaf.command("deaf", command("deaf", "ignore=SIGTERM", "spawn=spawned", "tell=began", "tick=never"), retries=3)
deaf.command("after", command("after", "tell=began"))


@schedules.cron(NEVER)
async def hanging(run: AsyncRun) -> None:
    tell("began", run)
    try:
        await asyncio.sleep(3600)
    finally:
        tell("stopped", run)
