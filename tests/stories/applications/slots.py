"""Runs on request that share the two slots of a lock with another schedule's; both wait at the gate ``go``."""

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("slots")
LOCK = {"name": "api", "slots": 2}
for name in ("thumbnail", "report"):
    schedules.add(
        name, at="2099-01-01T00:00:00Z", overlap="allow", lock=LOCK, priority="high" if name == "report" else "normal"
    ).command(name, command(name, "tell=began", "wait=go", "tell=ended"))
