"""The schedules of a campaign: each overlap policy, a shared lock, jobs of each kind, and what differs
from one release to the next.
"""

import asyncio
import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2  # noqa: F401 - here, as a fault may leave no descriptor to import it where it is used

from daemon import AsyncRun, Run, Schedules
from daemon.states import Priority
from tests.chaos import mischief
from tests.chaos.diary import Diary, boottime
from tests.chaos.effect import Grant, write
from tests.chaos.releases import CHANGING, ONLY, RELEASE, RENAMED, RETIMED
from tests.chaos.trouble import BLOCKS, LIMIT, NEVER
from tests.chaos.worker import ENDS, FRAIL, START_WITHIN, STARTS, URL, write_effect

WORKER = Path(__file__).with_name("worker.py")

between: dict[str, Any] = {"starts": os.environ[STARTS], "ends": os.environ[ENDS]}
if os.environ.get(START_WITHIN):
    between["start_within"] = os.environ[START_WITHIN]
# A killed child is a failed attempt, and what a job of a campaign must survive again and again.
often: dict[str, Any] = {"retries": 1_000, "backoff": "0.1s"}
TOGETHER = 12
"""The number of schedules that are due at the same instants, so that their runs are claimed and ended in sets."""
SLOTTED = {"name": "slotted", "slots": 2}
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")
STROKE = 0.5
"""Seconds from one moment at which their runs end to the next."""

schedules = Schedules("chaos")
release = int(os.environ[RELEASE])


def command(name: str, seconds: float) -> list[str]:
    # -S: nothing but Python on SQLite; on PostgreSQL it needs psycopg2.
    alone = ["-S"] if os.environ[URL].startswith("sqlite") else []
    return [sys.executable, "-I", *alone, str(WORKER), name, str(seconds)]


def of_this_release(name: str, seconds: float) -> list[str]:
    """Return a command that is another one in each release, and so is the digest of its schedule."""
    return [*command(name, seconds), str(release)]


steps = schedules.add("steps", every="6s", overlap="skip", **between)
for number in (1, 2):
    steps.command(f"step-{number}", command(f"step-{number}", 0.4), **often)
long = schedules.add("long", every="10s", overlap="skip", **between)
long.command("long", command("long", 6.0), **often)
queued = schedules.add("queued", every="8s", overlap="queue", **between)
queued.command("queued", command("queued", 1.0), **often)
newest = schedules.add("newest", every="8s", overlap="replace", **between)
newest.command("newest", command("newest", 1.5), **often)
free = schedules.add("free", every="8s", overlap="allow", **between)
free.command("free", command("free", 2.0), **often)
frail = schedules.add(FRAIL, every="8s", overlap="allow", **between)
frail.command(FRAIL, command(FRAIL, 0.3), retries=0)
for name in ("left", "right"):
    shared = schedules.add(name, every="10s", overlap="skip", lock="shared", **between)
    shared.command(name, command(name, 0.5), **often)
for number in range(3):  # one more than there are slots
    slotted = schedules.add(
        f"slotted-{number}", every="10s", overlap="skip", lock=SLOTTED, priority=PRIORITIES[number], **between
    )
    slotted.command("slotted", command("slotted", 0.5), **often)
for name, releases in ONLY.items():
    if release in releases:
        schedules.add(name, every="14s", overlap="skip", **between).command(name, of_this_release(name, 0.5), **often)
changing = schedules.add("changing", every="12s", overlap="skip", **between)
for name in CHANGING[release]:
    changing.command(name, of_this_release(name, 0.3), **often)
former: dict[str, Any] = {"was": RENAMED[1]} if RENAMED[release] != RENAMED[1] else {}
renamed = schedules.add(RENAMED[release], every="8s", overlap="skip", **between, **former)
renamed.command("renamed", command("renamed", 0.5), **often)
retimed = schedules.add("retimed", every=f"{RETIMED[release]}s", overlap="skip", **between)
retimed.command("retimed", command("retimed", 0.3), **often)


@schedules.every("4s", overlap="skip", **between, **often)
async def inside(run: AsyncRun) -> None:
    mischief.arm(asyncio.get_running_loop())
    await _have_an_effect(run, "inside", 0.3)


async def together(run: AsyncRun) -> None:
    await _have_an_effect(run, "together", 0.0)
    await asyncio.sleep(STROKE - boottime() % STROKE)


for number in range(TOGETHER):
    schedules.add(f"together-{number}", every="6s", overlap="skip", **between).job(**often)(together)


@schedules.every("25s", overlap="skip", **between, **often)
def function(run: Run) -> None:
    run_id, grant, diary = _begin(run, "function")
    time.sleep(0.2)
    if write_effect(diary, grant, run_id, "function"):
        raise RuntimeError("the grant had ended")


@schedules.cron(NEVER)
async def killer(_: AsyncRun) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@schedules.cron(NEVER, timeout=LIMIT)
async def blocker(_: AsyncRun) -> None:
    time.sleep(BLOCKS)  # noqa: ASYNC251 - that is the fault


async def _have_an_effect(run: AsyncRun, job: str, seconds: float) -> None:
    run_id, grant, diary = _begin(run, job)
    with closing(diary):
        await asyncio.sleep(seconds)
        while True:
            diary.note("attempt")
            answer, why = await asyncio.to_thread(write, os.environ[URL], grant, run_id, job)
            diary.note(answer, why=why)
            if answer == "refused":
                raise RuntimeError(why)
            if answer == "written":
                return
            await asyncio.sleep(0.1)


def _begin(run: Run | AsyncRun, job: str) -> tuple[int, Grant, Diary]:
    brief = run._brief
    grant = (brief.grant.name, brief.grant.token, brief.grant.holder)
    diary = Diary(brief.run_id, job, brief.attempt, grant)
    diary.note("began")
    return brief.run_id, grant, diary
