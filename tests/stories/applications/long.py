"""One job that takes its time, and a schedule that is due much more often."""

import os

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("long")
long = schedules.add("long", every=os.environ["STORY_EVERY"], starts=os.environ["STORY_STARTS"])
long.command("work", command("work", "tell=began", f"sleep={os.environ['STORY_LENGTH']}", "tell=ended"))
