"""Jobs that wait for a gate of their name."""

from daemon import Schedules
from tests.support.telling import command

NEVER = "0 3 1 1 *"

schedules = Schedules("gated")
for name in ("one", "two"):
    schedules.add(name, cron=NEVER).command(name, command(name, "tell=began", f"wait={name}", "tell=ended"))
