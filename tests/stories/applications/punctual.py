"""Schedules that are due each second, whose runs do nothing."""

from daemon import AsyncRun, Schedules

schedules = Schedules("punctual")


async def nothing(run: AsyncRun) -> None:
    pass


for number in range(20):
    schedules.every("1s", name=f"punctual-{number}", timeout="1m")(nothing)
