"""A sync of 20 jobs, which takes STORY_LENGTH seconds in all: async functions, and each fifth one a command."""

import asyncio
import os

from daemon import AsyncRun, Schedules
from tests.support.telling import command, tell

JOBS = 20
each = float(os.environ["STORY_LENGTH"]) / JOBS

schedules = Schedules("sync")
sync = schedules.add("sync", every=os.environ["STORY_EVERY"], starts=os.environ["STORY_STARTS"])


async def copy(run: AsyncRun) -> None:
    tell("began", run)
    await asyncio.sleep(each)
    tell("ended", run)


for number in range(1, JOBS + 1):
    name = f"table-{number:02}"
    if number % 5 == 0:
        sync.command(name, command(name, "tell=began", f"sleep={each}", "tell=ended"))
    else:
        sync.job(name=name)(copy)
