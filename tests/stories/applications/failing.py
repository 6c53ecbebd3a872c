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

broken = schedules.add("broken", cron=NEVER)
broken.command("fetch", command("fetch", "tell=began", "exit=3"), retries=1, backoff="0.1s")
broken.command("store", command("store", "tell=began"))
broken.command("report", command("report", "tell=began"))


deadly = schedules.add("deadly", cron=NEVER)
deadly.command("deadly", command("deadly", "tell=began", "kill=never"))
