"""Rolling restarts under load: no instant is lost, none runs twice, and no attempt counts as failed.

Small here; `make proof NAME=rolling` has fifty schedules due each second, and rolls several times.
"""

import os
import signal
import sys
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from daemon.store.tables import job_run
from tests.support.replicas import APPLICATIONS, ReplicaProcess, Story
from tests.support.waiting import wait_until

FULL = int(os.environ.get("LEASED_TEST_ROLLING", "0"))
"""How many schedules are due each second in the long form; 0 for the short one."""
SCHEDULES = FULL or 6
ROLLS = 3 if FULL else 1
TTL = "60s" if FULL else "15s"
"""A machine with more to do than it can may cost a lease of the usual ttl."""
BETWEEN = 15 if FULL else 2
"""Instants of a schedule between two rolls."""
PATIENCE = 600.0
OVERLAP = "skip" if FULL else "queue"
"""Fifty a second are more than a small machine executes: those that it does not get to are skipped, with a row each."""
ENVIRONMENT = {"STORY_SCHEDULES": str(SCHEDULES), "STORY_OVERLAP": OVERLAP}


class Lines:
    """Counts the lines of a growing file that contain a text, and reads each of them once."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._read, self._found = 0, 0

    def count(self) -> int:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read += len(whole)
            self._found += sum(self._text.encode() in line for line in whole.splitlines())
        return self._found

    def wait_for(self, number: int) -> None:
        """Wait until there are so many more."""
        wanted = self.count() + number
        wait_until(lambda: self.count() >= wanted, f"{number} more {self._text}", limit=PATIENCE)


def instants_pass(story: Story, number: int) -> None:
    """Wait until so many more instants of a schedule have been executed."""
    Lines(story.folder / "effects", "number-00 ").wait_for(number)


def assert_nothing_lost_doubled_or_failed(story: Story, took: list[float]) -> None:
    """All is ended, in order; what is left over are the latest instants of a schedule, untouched."""
    instants: dict[str, list[datetime]] = defaultdict(list)
    rows = story.runs()
    for row in rows:
        instants[row.schedule].append(row.scheduled_for)
    assert len(instants) == SCHEDULES
    for schedule, found in instants.items():
        steps = {later - earlier for earlier, later in pairwise(found)}
        assert steps == {timedelta(seconds=1)}, f"{schedule}: an instant is lost or doubled"
    skipped = [row for row in rows if row.state == "skipped"]
    assert {row.reason for row in skipped} <= ({"overlap"} if FULL else set())
    assert {row.state for row in rows} <= {"succeeded", "pending", "skipped"}
    attempts = story.rows(select(job_run.c.run_id, job_run.c.state))
    ended = Counter(attempt.state for attempt in attempts)
    assert set(ended) <= ({"succeeded", "stopped"} if FULL else {"succeeded"})
    executed = [row for row in rows if row.state == "succeeded"]
    done = Counter(attempt.run_id for attempt in attempts if attempt.state == "succeeded")
    assert done == Counter(row.id for row in executed)
    assert all(row.attempt == 0 for row in rows if row.state == "pending") or ended["stopped"]
    effects = Counter((story.folder / "effects").read_text().splitlines())
    assert len(effects) >= len(executed)
    assert effects.total() - len(executed) <= ended["stopped"], "an instant has run twice"
    assert story.told("audit")["items"] == []
    delays = sorted((row.started_at - row.scheduled_for).total_seconds() for row in executed)
    lasted = (max(row.scheduled_for for row in rows) - min(row.scheduled_for for row in rows)).total_seconds()
    sys.stdout.write(
        f"{SCHEDULES} schedules a second on {story.engine.dialect.name} for {lasted:.0f} s: {len(rows)} instants, "
        f"{len(executed)} executed, {len(skipped)} skipped as the one before was not over, "
        f"{len(rows) - len(executed) - len(skipped)} left over, 0 lost, 0 doubled, 0 failed attempts, "
        f"{ended['stopped']} stopped; "
        f"rolls took {', '.join(f'{seconds:.1f} s' for seconds in took)}; began after the instant: "
        f"median {delays[len(delays) // 2]:.2f} s, 99 % {delays[len(delays) * 99 // 100]:.2f} s, "
        f"latest {delays[-1]:.2f} s\n"
    )


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    if FULL:
        monkeypatch.setattr("tests.support.replicas.wait_until", lambda c, what: wait_until(c, what, limit=PATIENCE))


@pytest.mark.proof
def test_by_sighup(story: Story) -> None:
    text = (APPLICATIONS / "rolling.py").read_text()
    file = story.write_file("rolling.py", text)
    supervisor = story.start(file, "--replicas=3", environment=ENVIRONMENT, ttl=TTL)
    took = []
    rolled = Lines(supervisor.log, "all 3 replicas are replaced")
    for number in range(1, ROLLS + 1):
        instants_pass(story, BETWEEN)
        story.write_file("rolling.py", f"{text}\n# edition {number}\n")
        before, began = set(story.living()), time.monotonic()
        supervisor.send(signal.SIGHUP)
        rolled.wait_for(1)
        took.append(time.monotonic() - began)
        assert not before & set(story.living())
    instants_pass(story, BETWEEN)
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 143
    assert_nothing_lost_doubled_or_failed(story, took)


def test_by_sigterm_and_start_as_an_orchestrator_does_it(story: Story) -> None:
    def start() -> ReplicaProcess:
        replica = story.start("rolling.py", environment=ENVIRONMENT, ttl=TTL, web=True)
        wait_until(lambda: replica.readyz()["ready"], "it is ready", limit=PATIENCE)
        return replica

    replicas = [start() for _ in range(3)]
    took = []
    for _ in range(ROLLS):
        instants_pass(story, BETWEEN)
        began, old = time.monotonic(), replicas
        replicas = []
        for replica in old:
            replicas.append(start())
            replica.send(signal.SIGTERM)
            assert replica.wait() == 143
        took.append(time.monotonic() - began)
    instants_pass(story, BETWEEN)
    for replica in replicas:
        replica.send(signal.SIGTERM)
    for replica in replicas:
        assert replica.wait() == 143
    assert_nothing_lost_doubled_or_failed(story, took)
