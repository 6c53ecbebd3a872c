"""Stands for a replica in the tests of the supervisor: leaves word of what happens to it in a folder."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from daemon.service.environment import SUPERVISOR_FD
from daemon.service.outside.outside import OTHER_FILE, SupervisorLink, inherited_descriptor
from daemon.service.outside.stop_requests import supervisor_gone

FOLDER = Path(sys.argv[1])
LINK = SupervisorLink.inherited(os.environ)
INDEX = str(LINK.index)
FILE = FOLDER / "file"


def say(word: str) -> None:
    draft = FOLDER / f".{word}.{os.getpid()}"
    draft.write_text(INDEX)
    draft.rename(FOLDER / f"{word}.{os.getpid()}")


async def main() -> int:
    told = asyncio.Event()
    signals = []

    def on_signal() -> None:
        signals.append(1)
        say("draining" if len(signals) == 1 else "stopping-at-once")
        told.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, on_signal)
    if FILE.read_text() != LINK.digest and LINK.ready_fd is not None:
        say("refused")
        os.write(LINK.ready_fd, OTHER_FILE)
        return 2
    orphaned = asyncio.create_task(supervisor_gone(inherited_descriptor(os.environ, SUPERVISOR_FD)))
    if "slow to start" in FILE.read_text():
        say("starting")
        await asyncio.wait([asyncio.create_task(told.wait()), orphaned], return_when=asyncio.FIRST_COMPLETED)
    say("ready")
    LINK.ready()
    planned = FOLDER / f"status.{INDEX}"
    while True:
        if planned.exists():
            return int(planned.read_text())
        if orphaned.done():
            say("orphaned")
            return 0
        deaf = (FOLDER / "deaf").exists()
        if signals and not deaf and (len(signals) > 1 or not (FOLDER / "slow").exists()):
            return 143
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
