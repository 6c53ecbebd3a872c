"""Two releases of one file, A and B: a schedule stays, one changes, one goes and one comes; and runs that
wait for the gate of their schedule.

Most jobs are coroutines, which cost little.
"""

import os

from daemon import AsyncRun, Schedules
from tests.support.telling import NEVER, command, opens, tell, wait_for

release = os.environ["STORY_RELEASE"]
if secret := os.environ.get("STORY_SECRET"):
    wait_for(secret)
schedules = Schedules("weeks")


async def work(run: AsyncRun) -> None:
    tell("began", run, release=release)


async def gated(run: AsyncRun) -> None:
    tell("began", run, release=release)
    await opens(run.schedule)
    tell("ended", run, release=release)


async def fails_once(run: AsyncRun) -> None:
    tell("began", run, release=release)
    if run.attempt == 1:
        raise ConnectionError("the first time")


for name, job in (("stays", "stays"), ("changes", release), ({"A": "goes", "B": "comes"}[release], "work")):
    schedules.add(name, every="0.5s").job(name=job)(work)
schedules.add("slowly", cron=NEVER, overlap="queue").job(name=f"slowly-{release}")(gated)
if release == "A":
    leaves = schedules.add("leaves", cron=NEVER, overlap="queue")
    leaves.job(name="fails-once", retries=1, backoff="2s")(fails_once)
    leaves.command("leaves", command("leaves", "tell=began", "wait=leaves", "tell=ended"))
