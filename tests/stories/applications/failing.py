"""A job that outlasts its timeout, and one that is deaf to SIGTERM; nothing is due by itself."""

from daemon import Schedules
from tests.support.telling import NEVER, command

schedules = Schedules("failing")

slow = schedules.add("slow", cron=NEVER)
slow.command(
    "slow",
    command("slow", "spawn=spawned", "tell=began", "wait=slow-{attempt}", "tell=ended"),
    timeout="2s",
    retries=1,
    backoff="0.4s",
)

deaf = schedules.add("deaf", cron=NEVER)
deaf.command("deaf", command("deaf", "ignore=SIGTERM", "spawn=spawned", "tell=began", "tick=never"), retries=3)
deaf.command("after", command("after", "tell=began"))
