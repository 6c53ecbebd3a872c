"""One schedule that stays, and one that a later version of the file has no more."""

import os

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("changing")
schedules.add("stays", every="0.3s").command("stays", command("stays", "tell=began"))
if "STORY_OLD" in os.environ:
    schedules.add("goes", every="0.3s").command("goes", command("goes", "tell=began", "wait=goes"))
