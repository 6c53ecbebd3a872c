"""A user of the async client: tasks that share one client, and are cancelled wherever they are."""

import asyncio
import threading
from random import Random

from sqlalchemy import Engine

import lease
from lease import LeaseError

from .journal import Journal
from .mishaps import burst, raise_when_lost
from .plans import AT_ONCE, Plan, draw
from .threads import Hung
from .visits import Visit


async def use(  # noqa: PLR0917 - what a session needs
    client: lease.LeaseClient, number: int, journal: Journal, engine: Engine, chance: Random, end: threading.Event
) -> None:
    """Use one client for a while, and close it, often in the midst of what its tasks do."""
    stop = asyncio.Event()
    async with client:
        tasks = [
            asyncio.create_task(_work(client, number, journal, engine, Random(chance.random()), stop))
            for _ in range(AT_ONCE)
        ]
        await asyncio.to_thread(end.wait, chance.uniform(0.5, 4.0))
        if chance.random() < 0.5:
            stop.set()
            await asyncio.wait(tasks, timeout=3.0)
        journal.note("closing", client=number)
    journal.note("closed", client=number)
    stop.set()
    _, left = await asyncio.wait(tasks, timeout=15.0)
    if left:
        raise Hung
    await asyncio.gather(*tasks)


async def _work(  # noqa: PLR0917 - what a session needs
    client: lease.LeaseClient, number: int, journal: Journal, engine: Engine, chance: Random, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        plan = draw(chance)
        if plan.breaks:
            await _break(client, plan, journal)
        try:
            async with asyncio.timeout(plan.cut_after):
                await _visit(client, plan, Visit(journal, plan, number), engine)
                if plan.bursts:
                    await burst(client, journal)
        except TimeoutError:
            continue
        await asyncio.sleep(plan.rests)


async def _visit(client: lease.LeaseClient, plan: Plan, visit: Visit, engine: Engine) -> None:
    with visit.told():
        async with client.hold(plan.name, wait=plan.wait) as held:
            visit.granted(held)
            if plan.raises:
                held.on_lost(raise_when_lost)
            await asyncio.sleep(plan.works)
            await asyncio.to_thread(visit.write, engine, held)
            visit.leaving()
    await asyncio.to_thread(visit.haunt, engine)


async def _break(client: lease.LeaseClient, plan: Plan, journal: Journal) -> None:
    try:
        made = await client.break_lease(plan.name, "the campaign wants it", by=journal.user)
    except LeaseError as error:
        journal.note("not broken", name=plan.name, why=str(error))
    else:
        journal.note("broke", name=plan.name, token=made.token, holder=made.holder)
