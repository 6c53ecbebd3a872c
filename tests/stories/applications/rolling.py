"""Schedules that are due each second, half of them commands and half async jobs: each run leaves a line behind."""

import asyncio
import os
from pathlib import Path

from daemon import AsyncRun, Schedules

EFFECTS = Path(os.environ["STORY_FOLDER"], "effects")
schedules = Schedules("rolling")


def leave(line: str) -> None:
    file = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


async def work(run: AsyncRun) -> None:
    await asyncio.sleep(0.1)
    leave(f"{run.schedule} {run.idempotency_key}")


for number in range(int(os.environ["STORY_SCHEDULES"])):
    each = schedules.add(f"number-{number:02}", every="1s", catch_up="all", overlap=os.environ["STORY_OVERLAP"])  # type: ignore[arg-type]
    if number % 2:
        each.job(work)
    else:
        each.command("work", f'sleep 0.1; echo "$LEASED_SCHEDULE $LEASED_IDEMPOTENCY_KEY" >> {EFFECTS}')
