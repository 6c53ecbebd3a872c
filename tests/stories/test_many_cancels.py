"""Many runs at work of each kind, cancelled at once: their work is gone soon, and does nothing after their end (rule 23).

A replica asks with each renewal which of its runs are marked; nothing that a pooler could swallow shortens that.
"""

import os
import selectors
import sys
import threading
from datetime import datetime
from typing import Self

import pytest

from daemon.operations.cancel import cancel
from tests.support.replicas import Event, Story
from tests.support.starvation import Starvation, boottime_of
from tests.support.telling import boottime
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("LEASED_TEST_CANCELS", "4"))
"""How many runs of each kind; docs/internals/evidence.md has 100."""
KINDS = ("task", "process", "command")
KILL_TIME = 1.0
RENEW_EVERY = 1.0
LIMIT = 60.0 + 6 * COUNT


@pytest.mark.timeout(2 * LIMIT + 60)
@pytest.mark.proof
def test_the_work_of_many_cancelled_runs_is_gone_soon_and_does_nothing_after_their_end(
    story: Story, starvation: Starvation
) -> None:
    timing = (f"--kill-time={KILL_TIME}s", f"--renew-every={RENEW_EVERY}s")
    environment = {"STORY_EFFECT_EVERY": "0.1" if COUNT < 10 else "1", "STORY_PATIENCE": str(2 * LIMIT)}
    replica = story.start("many.py", *timing, f"--concurrency={3 * COUNT}", ttl="60s", environment=environment)
    story.up(replica)
    ids = [story.trigger(kind) for _ in range(COUNT) for kind in KINDS]
    began = all_at_work(story, ids)

    with Ends(began) as processes:
        marked = cancel_all(story, ids)
        ends = processes.wait()
    wait_until(lambda: len(story.events("stopped")) == COUNT, "all tasks have ended", limit=LIMIT)
    ends |= {one["run"]: one["at"] for one in story.events("stopped")}
    wait_until(lambda: not story.unfinished(), "all runs are over", limit=LIMIT)
    heard = {
        line["run"]: boottime_of(datetime.fromisoformat(line["timestamp"])) for line in replica.said("run is cancelled")
    }

    rows = {one.id: one for one in story.runs()}
    assert {(one.state, one.reason, one.attempt) for one in rows.values()} == {("cancelled", "cancelled by bob", 1)}
    assert {one.state for one in story.job_runs()} == {"stopped"}
    over = {one.id: boottime_of(one.finished_at) for one in rows.values()}
    assert [one for one in story.events("effect") if one["at"] > over[one["run"]]] == []
    assert len({one["run"] for one in story.events("effect")}) == len(ids)

    with story.engine.begin() as connection:
        again = [cancel(connection, run_id, requested_by="eve") for run_id in ids]
    assert {(one.already, one.state, one.cancelled_by) for one in again} == {(True, "cancelled", "bob")}
    assert {one.id: one for one in story.runs()} == rows, "the second cancel writes nothing"
    assert "already cancelled by bob; it has ended" in story.output("cancel", str(ids[0]))

    for kind in KINDS:
        of_kind = [run_id for run_id in ids if rows[run_id].schedule == kind]
        show(kind, [ends[one] - marked[one] for one in of_kind], [ends[one] - heard[one] for one in of_kind])
    for run_id in ids:
        what = f"the work of run {run_id} ({rows[run_id].schedule}) is gone"
        starvation.assert_within(KILL_TIME + 1.0, heard[run_id], ends[run_id], what)
        starvation.assert_within(RENEW_EVERY + KILL_TIME + 1.0, marked[run_id], ends[run_id], what)


def all_at_work(story: Story, ids: list[int]) -> dict[int, Event]:
    """Wait until each run has begun its work, and return what each reported then."""
    wait_until(lambda: story.at_work() == len(ids), "all are claimed", limit=LIMIT)
    wait_until(lambda: len(story.events("began")) == len(ids), "all have begun", limit=LIMIT)
    return {one["run"]: one for one in story.events("began")}


def cancel_all(story: Story, ids: list[int]) -> dict[int, float]:
    """Cancel each run in a transaction of its own, and return when its mark was written."""
    marked: dict[int, float] = {}
    with story.engine.connect() as connection:
        for run_id in ids:
            with connection.begin():
                assert not cancel(connection, run_id, requested_by="bob").already
            marked[run_id] = boottime()
    return marked


class Ends:
    """The ends of the processes of runs, as the kernel tells them."""

    def __init__(self, began: dict[int, Event]) -> None:
        self._pids = {run_id: one["pid"] for run_id, one in began.items() if one["job"] != "task"}
        self._selector = selectors.DefaultSelector()
        self._ends: dict[int, float] = {}
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        for run_id, pid in self._pids.items():
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, run_id)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watching.join()
        self._selector.close()

    def wait(self) -> dict[int, float]:
        """Wait until none is left, and return when each was gone."""
        wait_until(lambda: not self._watching.is_alive(), "all processes are gone", limit=LIMIT)
        assert self._ends.keys() == self._pids.keys()
        return self._ends

    def _watch(self) -> None:
        deadline = boottime() + LIMIT
        while len(self._ends) < len(self._pids) and boottime() < deadline:
            for ended, _ in self._selector.select(1.0):
                self._ends[ended.data] = boottime()
                self._selector.unregister(ended.fd)
                os.close(ended.fd)


def show(kind: str, since_marked: list[float], since_heard: list[float]) -> None:
    """Print figures, which `make proof NAME=cancels` shows."""
    figures = (
        f"{name} {sorted(of)[len(of) // 2]:.2f}, at most {max(of):.2f} s"
        for name, of in (("since it was marked:", since_marked), ("since it was heard:", since_heard))
    )
    sys.stdout.write(f"{len(since_marked)} runs of a {kind}: gone, in the median, {'; '.join(figures)}\n")
