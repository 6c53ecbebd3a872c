"""An async job that can't be ended: it takes no notice of its cancellation."""

import asyncio
import contextlib

from daemon import AsyncRun, Schedules
from tests.support.telling import tell

schedules = Schedules("stubborn")


@schedules.cron("0 3 1 1 *")
async def stubborn(run: AsyncRun) -> None:
    tell("began", run)
    while run.attempt == 1:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
