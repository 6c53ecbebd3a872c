"""An async job that blocks the loop of all async jobs, which it must not do."""

import os
import time

from daemon import AsyncRun, Schedules
from tests.support.telling import NEVER, tell

schedules = Schedules("blocking")


@schedules.cron(NEVER)
async def blocking(run: AsyncRun) -> None:
    tell("began", run)
    time.sleep(float(os.environ["STORY_LENGTH"]))  # noqa: ASYNC251 - that is the fault
    run.ensure()
    tell("ended", run)
