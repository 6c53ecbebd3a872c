"""Work of each kind that goes on until it is stopped, many runs of each at once. The command takes no notice of
SIGTERM.
"""

import asyncio
import os
import time

from daemon import AsyncRun, Run, Schedules
from tests.support.telling import NEVER, command, tell

EVERY = float(os.environ["STORY_EFFECT_EVERY"])

schedules = Schedules("many")


async def task(run: AsyncRun) -> None:
    tell("began", run)
    try:
        while True:
            tell("effect", run)
            await asyncio.sleep(EVERY)
    finally:
        tell("stopped", run)


def process(run: Run) -> None:
    tell("began", run)
    while True:
        tell("effect", run)
        time.sleep(EVERY)


schedules.add("task", cron=NEVER, overlap="allow").job(name="task", retries=3)(task)
schedules.add("process", cron=NEVER, overlap="allow").job(name="process", retries=3)(process)
schedules.add("command", cron=NEVER, overlap="allow").command(
    "command", command("command", "ignore=SIGTERM", "tell=began", f"work={EVERY}"), retries=3
)
