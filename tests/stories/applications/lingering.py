"""A job that ignores SIGTERM, and one that runs for long."""

from daemon import Schedules
from tests.support.telling import command

NEVER = "0 3 1 1 *"

schedules = Schedules("lingering")
schedules.add("deaf", cron=NEVER).command("deaf", command("deaf", "ignore=SIGTERM", "tell=began", "wait=deaf"))
schedules.add("long", cron=NEVER).command("long", command("long", "tell=began", "wait=long"))
