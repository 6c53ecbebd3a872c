"""The program of a user: one client after the other, until SIGTERM.

python -m tests.chaos.users.user NAME KIND SEED
"""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import lease
import lease.sync
from lease import LeaseError, LeaseTiming
from lease.database.address import parse_address

from . import tasks, threads
from .journal import TTL, URL, Journal
from .mishaps import quiet_about_mishaps, raising

HUNG = 3
"""The exit status of a user whose calls did not return."""


def main(name: str, kind: str, seed: str) -> int:
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    faulthandler.register(signal.SIGUSR1)
    journal, chance = Journal(name), Random(f"{seed}/{name}")
    timing, url = LeaseTiming(ttl=float(os.environ[TTL])), os.environ[URL]
    engine = create_engine(parse_address(url), poolclass=NullPool)
    journal.note("began")
    quiet_about_mishaps()
    options: Any = {"timing": timing, "label": name, "on_event": raising(chance)}
    numbers = count(1)
    while not end.is_set():
        number = next(numbers)
        with suppress(KeyboardInterrupt):  # the second, while the first is noted
            try:
                if kind == "tasks":
                    asyncio.run(tasks.use(lease.LeaseClient(url, **options), number, journal, engine, chance, end))
                else:
                    use = threads.use_in_main if kind == "main" else threads.use
                    use(lease.sync.LeaseClient(url, **options), number, journal, engine, chance, end)
            except KeyboardInterrupt:
                journal.note("interrupted", client=number)
            except RuntimeError as error:
                # Python's own, where a second interrupt comes as `asyncio.run` or `Event.wait` ends
                raised_in = Path(extract_tb(error.__traceback__)[-1].filename)
                if raised_in.parent != Path(asyncio.__file__).parent and raised_in != Path(threading.__file__):
                    raise
                journal.note("interrupted", client=number)
            except threads.Hung:
                faulthandler.dump_traceback()
                return HUNG
            except LeaseError as error:
                journal.note("closed in error", client=number, why=str(error))
                end.wait(0.2)
    journal.note("done")
    return 0


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    if status == HUNG:
        os._exit(status)  # its threads would hold up the end
    sys.exit(status)
