"""pgqueuer's worker: asyncpg, uvloop where it is there, drain mode, batches of as many jobs as it does at once."""

import asyncio
from importlib import import_module
from typing import Any

from .trial import Clock, Order, read_order


async def work(order: Order, clock: Clock) -> None:
    """Install, put the jobs in, and do them."""
    pgqueuer: Any = import_module("pgqueuer")
    types: Any = import_module("pgqueuer.types")
    asyncpg: Any = import_module("asyncpg")
    driver = pgqueuer.AsyncpgDriver(await asyncpg.connect(order.url))
    queries = import_module("pgqueuer.queries").Queries(driver)
    await queries.install()
    manager = import_module("pgqueuer.qm").QueueManager(queries)

    async def nothing(_job: Any) -> None:
        clock.done += 1

    manager.entrypoint("nothing")(nothing)

    await queries.enqueue(["nothing"] * order.jobs, [None] * order.jobs, [0] * order.jobs)
    clock.start()
    await manager.run(batch_size=order.places, mode=types.QueueExecutionMode.drain)


if __name__ == "__main__":
    clock = Clock()
    try:
        loop: Any = import_module("uvloop")
        loop.run(work(read_order(), clock))
    except ModuleNotFoundError:
        asyncio.run(work(read_order(), clock))
    clock.report()
