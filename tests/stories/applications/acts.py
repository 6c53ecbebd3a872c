"""Work that goes on until it is stopped, and work of two jobs of which the second fails until a gate is open."""

import asyncio

from daemon import AsyncRun, Schedules
from tests.support.telling import NEVER, is_open, tell

schedules = Schedules("acts")
hold = schedules.add("hold", cron=NEVER, overlap="allow")
pay = schedules.add("pay", cron=NEVER, overlap="allow")


@hold.job(name="hold")
async def goes_on(run: AsyncRun) -> None:
    tell("began", run)
    await asyncio.Event().wait()


@pay.job
async def fetch(run: AsyncRun) -> None:
    tell("fetched", run)


@pay.job(name="pay")
async def pays(run: AsyncRun) -> None:
    if not is_open("bank"):
        tell("refused", run, key=run.idempotency_key)
        raise OSError("the bank is away")
    tell("paid", run, key=run.idempotency_key)
