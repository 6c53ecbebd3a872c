"""Jobs that fail, in several ways; nothing is due by itself."""

from daemon import Schedules
from tests.support.telling import command

NEVER = "0 3 1 1 *"

schedules = Schedules("failing")

slow = schedules.add("slow", cron=NEVER)
slow.command(
    "slow",
    command("slow", "spawn=spawned", "tell=began", "wait=slow-{attempt}", "tell=ended"),
    timeout="2s",
    retries=1,
    backoff="0.4s",
)

deadly = schedules.add("deadly", cron=NEVER)
deadly.command("deadly", command("deadly", "tell=began", "kill=never"))
