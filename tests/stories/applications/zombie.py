"""Work that its replica loses while it is paused: a child that ticks, a task that writes when it is cancelled, one that won't hear."""

import asyncio
import os
from contextlib import suppress

from sqlalchemy import create_engine, text

from daemon import AsyncRun, Schedules
from lease.database.address import parse_address
from lease.errors import LeaseLost
from tests.support.telling import NEVER, command, opens, tell

schedules = Schedules("zombie")
child = schedules.add("child", cron=NEVER)
child.command("child", command("child", "look=earlier", "tell=began", "tick=child-{attempt}", "tell=ended"))


@schedules.cron(NEVER)
async def writer(run: AsyncRun) -> None:
    tell("began", run)
    if run.attempt > 1:
        write(run)
        return
    try:
        await opens("never")
    except asyncio.CancelledError:
        tell("cancelled", run)
        write(run)
        raise


@schedules.cron(NEVER)
async def deaf(run: AsyncRun) -> None:
    """It takes its cancellation for its success."""
    tell("began", run)
    if run.attempt == 1:
        try:
            await opens("never")
        except asyncio.CancelledError:
            tell("cancelled", run)


@schedules.cron(NEVER)
async def stubborn(run: AsyncRun) -> None:
    """It can't be ended: it takes no notice of its cancellation."""
    tell("began", run)
    while run.attempt == 1:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


def write(run: AsyncRun) -> None:
    engine = create_engine(parse_address(os.environ["LEASED_DATABASE_URL"]))
    try:
        with engine.begin() as connection:
            run.fence(connection)
            connection.execute(text("INSERT INTO written (token) VALUES (:token)"), {"token": run.token})
    except LeaseLost as error:
        tell("refused", run, error=str(error))
        raise
    finally:
        engine.dispose()
    tell("wrote", run)
