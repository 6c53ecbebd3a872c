"""The worker of APScheduler 4: its data store in PostgreSQL over asyncpg, its event broker in memory, one process."""

import asyncio
from importlib import import_module
from typing import Any

from .trial import Clock, Order, read_order

CLOCK = Clock()


async def nothing() -> None:
    """Do nothing."""
    CLOCK.done += 1


async def work(order: Order) -> None:
    """Put the jobs in, and do them."""
    apscheduler: Any = import_module("apscheduler")
    stores: Any = import_module("apscheduler.datastores.sqlalchemy")
    engines: Any = import_module("sqlalchemy.ext.asyncio")
    engine = engines.create_async_engine(order.url.replace("postgresql://", "postgresql+asyncpg://"))
    store = stores.SQLAlchemyDataStore(engine)
    async with apscheduler.AsyncScheduler(store, max_concurrent_jobs=order.places) as scheduler:
        await scheduler.configure_task("nothing", func=nothing, max_running_jobs=order.places)
        for _ in range(order.jobs):
            await scheduler.add_job("nothing")
        released, all_released = 0, asyncio.Event()

        def count(_event: Any) -> None:
            nonlocal released
            released += 1
            if released == order.jobs:
                all_released.set()

        scheduler.subscribe(count, {apscheduler.JobReleased})
        CLOCK.start()
        await scheduler.start_in_background()
        await all_released.wait()
        CLOCK.report()


if __name__ == "__main__":
    # By its own name, so that the task's function is the one whose clock is read.
    asyncio.run(import_module("benchmarks.peers.apscheduler_worker").work(read_order()))
