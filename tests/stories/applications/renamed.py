"""Releases of one file in which a schedule is renamed: with `was`, or without; its runs wait for the gate "night"."""

import os

from daemon import AsyncRun, Schedules
from tests.support.telling import NEVER, opens, tell

NAMES = {"A": "night", "B": "nightly", "without was": "nightly"}

release = os.environ["STORY_RELEASE"]
schedules = Schedules("renamed")
was = ["night"] if release == "B" else []


async def gated(run: AsyncRun) -> None:
    tell("began", run, release=release, key=run.idempotency_key)
    await opens("night")
    tell("ended", run, release=release, key=run.idempotency_key)


async def work(run: AsyncRun) -> None:
    tell("began", run, release=release)


schedules.add(NAMES[release], cron=NEVER, overlap="queue", was=was).job(name="load", isolation="task")(gated)
schedules.add("stays", every="0.5s").job(name="work")(work)
