"""Schedules that compete: one whose instants queue up behind a gated run, two that share a lock."""

import os

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("queueing")
if "STORY_STARTS" in os.environ:
    queued = schedules.add(
        "queued", every="0.5s", starts=os.environ["STORY_STARTS"], ends=os.environ["STORY_ENDS"], overlap="queue"
    )
    queued.command("queued", command("queued", "tell=began", "wait=queued", "tell=ended"))
else:
    for name in ("left", "right"):
        schedules.add(name, every="0.4s", lock="shared").command(
            name, command(name, "tell=began", "sleep=0.1", "tell=ended")
        )
