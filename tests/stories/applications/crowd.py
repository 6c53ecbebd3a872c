"""Two runs at most at a time of a crowd that shares a lock, and beside it a schedule that is due every second."""

from daemon import AsyncRun, Schedules
from tests.support.telling import opens, tell

schedules = Schedules("crowd")
crowd = schedules.add("crowd", on_request=True, lock={"name": "api", "slots": 2}, overlap="allow")
pulse = schedules.add("pulse", every="1s")


@crowd.job(name="wait")
async def waits(run: AsyncRun) -> None:
    tell("began", run)
    await opens("gate")


@pulse.job(name="tell")
async def tells(run: AsyncRun) -> None:
    tell("pulse", run)
