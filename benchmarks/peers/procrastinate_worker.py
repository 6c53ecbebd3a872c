"""procrastinate's worker: psycopg's pool, until its queue is empty. It has no batches: it fetches jobs one by one."""

import asyncio
from importlib import import_module
from typing import Any

from .trial import Clock, Order, read_order


async def work(order: Order, clock: Clock) -> None:
    """Install, put the jobs in, and do them."""
    procrastinate: Any = import_module("procrastinate")
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=order.url, min_size=4, max_size=max(4, order.places))
    )

    async def nothing() -> None:
        clock.done += 1

    task = app.task(name="nothing")(nothing)

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await task.batch_defer_async(*({} for _ in range(order.jobs)))
        clock.start()
        await app.run_worker_async(concurrency=order.places, wait=False, install_signal_handlers=False)


if __name__ == "__main__":
    clock = Clock()
    asyncio.run(work(read_order(), clock))
    clock.report()
