"""Two schedules that share a lock."""

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("queueing")
for name in ("left", "right"):
    schedules.add(name, every="0.4s", lock="shared").command(
        name, command(name, "tell=began", "sleep=0.1", "tell=ended")
    )
