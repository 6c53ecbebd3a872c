"""Jobs that wait for a gate of their name; one of them ignores SIGTERM."""

from daemon import Schedules
from tests.support.telling import NEVER, command

schedules = Schedules("gated")
for name in ("one", "two"):
    schedules.add(name, cron=NEVER).command(name, command(name, "tell=began", f"wait={name}", "tell=ended"))
schedules.add("deaf", cron=NEVER).command("deaf", command("deaf", "ignore=SIGTERM", "tell=began", "wait=deaf"))
