"""Four jobs in order. The third one starts processes of its own, one of them in another session, and waits for a gate."""

import subprocess

from daemon import Run, Schedules
from tests.support.telling import NEVER, command, is_open, tell, wait_for

schedules = Schedules("four")
nightly = schedules.add("nightly", cron=NEVER)
nightly.command("first", command("first", "tell=began", "tell=ended"))
nightly.command("second", command("second", "tell=began", "tell=ended"))


@nightly.job
def third(run: Run) -> None:
    plain = subprocess.Popen(["sleep", "300"])
    apart = subprocess.Popen(["sleep", "300"], start_new_session=True)
    tell("began", run, plain=plain.pid, apart=apart.pid)
    if not is_open("quick"):
        wait_for("third")
    tell("ended", run)


nightly.command("fourth", command("fourth", "tell=began", "tell=ended"))
