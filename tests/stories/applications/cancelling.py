"""A command that goes on until it is stopped, and takes no notice of SIGTERM."""

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("cancelling")
deaf = schedules.add("deaf", cron="0 3 1 1 *")
deaf.command("deaf", command("deaf", "ignore=SIGTERM", "spawn=spawned", "tell=began", "tick=never"), retries=3)
deaf.command("after", command("after", "tell=began"))
