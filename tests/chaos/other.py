"""Another team's file, under the name of this application: nothing of it may come to run here."""

from daemon import Schedules
from tests.chaos.trouble import NEVER

schedules = Schedules("chaos")
schedules.add("intruder", cron=NEVER).command("intruder", "exit 1")
