"""The replicas of an ordinary week: release A is older, B newer, and T is how long B must be away."""

import json
import os
import re
import signal
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import select

from daemon.store.tables import generation, run, schedule
from daemon.store.tables import replica as replica_table
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

LONG = os.environ.get("LEASED_TEST_ROLLOUTS") == "long"
"""More replicas and longer faults than in the suite."""
EVERY = timedelta(seconds=0.5)
"""How often the schedules of `applications/weeks.py` are due."""
A = {"stays": "stays", "changes": "A", "slowly": "slowly-A", "goes": "work", "leaves": "fails-once"}
B = {"stays": "stays", "changes": "B", "slowly": "slowly-B", "comes": "work"}
"""The first job of each schedule, in either release."""


def begin(
    story: Story, release: str, *options: str, secret: str | None = None, database: str | None = None
) -> ReplicaProcess:
    """Start a replica, which is not ready yet."""
    environment = {"STORY_RELEASE": release} | ({"STORY_SECRET": secret} if secret else {})
    return story.start("weeks.py", *options, environment=environment, database=database)


def start(story: Story, release: str, *options: str, database: str | None = None) -> ReplicaProcess:
    """Start a replica, and wait until it is ready."""
    replica = begin(story, release, *options, database=database)
    story.up(replica)
    return replica


def end(*replicas: ReplicaProcess) -> None:
    """End replicas as an orchestrator does."""
    for replica in replicas:
        replica.send(signal.SIGTERM)
    for replica in replicas:
        replica.wait()


def ruler(story: Story) -> tuple[int, bool]:
    """Return the number of the generation that rules, and whether it only stands in."""
    ((number, in_lieu),) = map(
        tuple, story.rows(select(generation.c.number, generation.c.in_lieu).where(generation.c.rules))
    )
    return number, in_lieu


def defined(story: Story) -> dict[str, str]:
    """Return the first job of each schedule that is not retired."""
    rows = story.rows(select(schedule.c.name, schedule.c.definition).where(schedule.c.retired_at.is_(None)))
    return {row.name: json.loads(row.definition)["jobs"][0]["name"] for row in rows}


def go_on(story: Story, name: str, release: str | None = None, *, by: int | None = None) -> None:
    """Wait until a run of the schedule begins that has not begun yet, in this release, in this process."""
    wanted = {"schedule": name, **({"release": release} if release else {}), **({"pid": by} if by else {})}
    begun = len(story.events("began", **wanted))
    wait_until(lambda: len(story.events("began", **wanted)) > begun, f"{name} begins again ({wanted})")


def signs_of_life(story: Story, replica: ReplicaProcess, number: int) -> None:
    """Wait for so many further looks of a replica at which definitions rule."""
    for _ in range(number):
        _sign_of_life(story, replica)


def _sign_of_life(story: Story, replica: ReplicaProcess) -> None:
    query = select(replica_table.c.seen_at).where(replica_table.c.pid == replica.pid)
    before = story.rows(query)
    wait_until(lambda: story.rows(query) != before, f"{replica.name} gives a sign of life")


def stances(replica: ReplicaProcess) -> list[str]:
    """Return what a replica said of how its definitions stand, shortened to the first clause; each once, however
    often what comes next has changed meanwhile. What they retired is another matter.
    """
    lines = [line["message"] for line in replica.said('application "weeks": generation')]
    said = (line.partition("generation ")[2] for line in lines if " retired schedules that live replicas " not in line)
    clauses = (re.split(r"[:;]|, which has", f"generation {clause}")[0] for clause in said)
    return [clause for clause, _ in groupby(clauses)]


def assert_each_instant_has_its_run(story: Story, *names: str) -> None:
    """Each instant of these schedules, from their first to their last run, has a row, and one only."""
    for name in names:
        rows = story.rows(
            select(run.c.scheduled_for, run.c.last_scheduled_for, run.c.count)
            .where(run.c.schedule == name, run.c.trigger == "schedule")
            .order_by(run.c.scheduled_for)
        )
        assert len(rows) > 1, name
        until: datetime | None = None
        for first, last, count in map(tuple, rows):
            assert until is None or first - until == EVERY, f"{name}: after {until} comes {first}"
            assert last is None or (last - first) == (count - 1) * EVERY
            until = last or first


def assert_nothing_is_lost(story: Story, *names: str) -> None:
    """Each instant of these schedules has its run, and no promise is broken."""
    assert_each_instant_has_its_run(story, *names)
    assert_no_promise_is_broken(story)


def assert_no_promise_is_broken(story: Story) -> None:
    """Ask the checker of histories (`leased audit`)."""
    told = story.told("audit")
    assert told["ok"], told["items"]


def cancelled(story: Story) -> list[tuple[str, str | None]]:
    """Return the schedule and the reason of each run that ended as cancelled."""
    return [(one.schedule, one.reason) for one in story.runs() if one.state == "cancelled"]
