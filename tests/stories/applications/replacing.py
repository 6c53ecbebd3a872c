"""Work of each kind that is replaced each second, until a gate is opened. The command takes no notice of SIGTERM."""

import asyncio
import os
import time

from daemon import AsyncRun, Run, Schedules
from tests.support.telling import command, is_open, tell

EACH = int(os.environ["STORY_EACH"])
"""How many schedules there are of each kind."""
TICK = 0.1

schedules = Schedules("replacing", overlap="replace", catch_up="latest")


async def task(run: AsyncRun) -> None:
    tell("began", run)
    try:
        while not is_open("done"):
            tell("effect", run)
            await asyncio.sleep(TICK)
    finally:
        tell("ended", run)


def process(run: Run) -> None:
    tell("began", run)
    while not is_open("done"):
        tell("effect", run)
        time.sleep(TICK)


for number in range(EACH):
    schedules.add(f"task-{number}", every="1s").job(name="task", retries=3)(task)
    schedules.add(f"process-{number}", every="1s").job(name="process", retries=3)(process)
    schedules.add(f"command-{number}", every="1s").command(
        "command", command("command", "ignore=SIGTERM", "tell=began", "tick=done"), retries=3
    )
