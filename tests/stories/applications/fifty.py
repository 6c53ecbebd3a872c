"""Fifty schedules, each with a job that waits for its round's gate."""

import os

from daemon import Schedules
from tests.support.telling import NEVER, command

schedules = Schedules("fifty")
for number in range(50):
    name = f"one-{number:02}"
    schedules.add(name, cron=NEVER).command(
        name, command(name, "tell=began", f"wait={os.environ['STORY_GATE']}", "tell=ended")
    )
