"""The commands of a campaign: start, work with signs of life, write the effect under the fence.

python -I worker.py JOB SECONDS [RELEASE]
"""

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos.diary import Diary
from tests.chaos.effect import Grant, write

_ALIVE_EVERY = 0.1
_PATIENCE = 30.0
"""Seconds for which it keeps trying to write while the database is away."""
URL = "CHAOS_JOBS_URL"
STARTS, ENDS = "CHAOS_STARTS", "CHAOS_ENDS"
START_WITHIN = "CHAOS_START_WITHIN"
"""Environment variables: the database URL of jobs, and the span in which schedules are due, how late a run may start."""
FRAIL = "frail"
"""The job that fails in each third run, and is not tried again by itself."""


def main(job: str, seconds: float, release: int | None) -> int:
    grant = (os.environ["LEASE_NAME"], int(os.environ["LEASE_TOKEN"]), os.environ["LEASE_HOLDER"])
    run = int(os.environ["LEASED_RUN"])
    diary = Diary(run, job, int(os.environ["LEASED_ATTEMPT"]), grant)
    # A process that leaves session and group: it must be found and ended all the same (rule 20).
    child = os.posix_spawnp("sleep", ["sleep", "infinity"], os.environ, setsid=True)
    pids = [os.getpid(), child]
    diary.note("began", survivors=diary.survivors(pids), pids=pids, release=release)
    threading.Thread(target=_live, args=(diary,), daemon=True).start()
    time.sleep(seconds)
    status = 1 if job == FRAIL and run % 3 == 0 else write_effect(diary, grant, run, job)
    diary.note("ended", status=status)
    return status


def write_effect(diary: Diary, grant: Grant, run: int, job: str) -> int:
    """Write the effect, with retries; return the exit status: 0, or 1 if the grant had ended."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        diary.note("attempt")
        answer, why = write(os.environ[URL], grant, run, job)
        diary.note(answer, why=why)
        if answer != "away":
            return 0 if answer == "written" else 1
        time.sleep(0.1)
    return 1


def _live(diary: Diary) -> None:
    while True:
        diary.note("alive")
        time.sleep(_ALIVE_EVERY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
