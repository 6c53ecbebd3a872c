"""Ordinary weeks in which something breaks while releases live beside each other (rule 21).

T is `takeover_after`.
"""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, Table, delete, insert, select

from daemon.store import migrations
from daemon.store.tables import generation, job_run, run, schedule
from tests.support.binaries import Binaries
from tests.support.moved_clock import MISSING, ClockedServer, library
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy
from tests.support.replicas import ReplicaProcess, Story
from tests.support.starter import Starter
from tests.support.telling import boottime
from tests.support.waiting import wait_until

from .deploys import (
    LONG,
    A,
    B,
    assert_each_instant_has_its_run,
    assert_nothing_is_lost,
    cancelled,
    defined,
    end,
    go_on,
    ruler,
    signs_of_life,
    stances,
    start,
)


@pytest.mark.extended
def test_a_release_that_crashes_in_a_loop(story: Story) -> None:
    """Each of its lives is shorter than T, and a replica of it is back soon after each."""
    options = "--takeover-after=3s"
    old = start(story, "A", options)
    lives = 0
    while not old.said("generation 1 is the fallback for generation 2"):
        start(story, "B", options).kill()
        signs_of_life(story, old, 1)
        lives += 1
    assert lives > 1
    assert (ruler(story), defined(story)) == ((1, True), A | {"comes": "work"})
    go_on(story, "changes", "A")
    assert ruler(story) == (1, True)
    start(story, "B", options).wait_for_line("generation 2 is active")
    assert (ruler(story), defined(story)) == ((2, False), B)
    go_on(story, "changes", "B")
    go_on(story, "comes", "B")
    assert cancelled(story) == []
    assert_nothing_is_lost(story, "stays", "changes", "comes")


@pytest.mark.extended
def test_a_canary_that_is_cut_off_for_longer_than_t(postgres_story: Story, proxy: Proxy, proxied_url: str) -> None:
    """One new one beside several old ones. It does not count as living any more 15 s after its last sign of life."""
    story, options = postgres_story, "--takeover-after=2s"
    olds = [start(story, "A", options) for _ in range(9 if LONG else 3)]
    canary = start(story, "B", options, database=proxied_url)
    go_on(story, "changes", "B")
    go_on(story, "comes", "B")
    go_on(story, "stays", "A")
    proxy.cut()
    wait_until(lambda: ruler(story) == (1, True), "an old one stands in")
    go_on(story, "changes", "A")
    assert defined(story) == A | {"comes": "work"}
    proxy.heal()
    given_way = "generation 1 is superseded by generation 2"
    wait_until(lambda: {stances(old)[-1] for old in olds} == {given_way}, "it is back")
    assert stances(canary) == ["generation 2 is active", "generation 2 is on standby", "generation 2 is active"]
    assert (ruler(story), defined(story)) == ((2, False), B)
    go_on(story, "changes", "B")
    go_on(story, "comes", "B")
    assert cancelled(story) == []
    assert_nothing_is_lost(story, "stays", "changes", "comes")


@pytest.mark.extended
def test_all_replicas_restart_at_once(story: Story) -> None:
    """In good order first, and then all of them are killed; each time the old ones are the first that are back."""
    replicas = [start(story, release) for release in "AB"]
    go_on(story, "comes", "B")
    end(*replicas)
    back = [start(story, release) for release in "AAB"]
    assert stances(back[0])[0] == "generation 1 is the fallback for generation 2", "it found nobody"
    assert stances(back[2]) == ["generation 2 is active"]
    assert (ruler(story), defined(story)) == ((2, False), B)
    go_on(story, "comes", "B")
    for replica in back:
        replica.kill()
    back = [start(story, release) for release in "AAB"]
    assert stances(back[0]) == ["generation 1 is superseded by generation 2"]
    assert stances(back[2]) == ["generation 2 is active"]
    assert (ruler(story), defined(story)) == ((2, False), B)
    go_on(story, "comes", "B")
    go_on(story, "changes", "B")
    assert {name for name, _ in cancelled(story)} <= {"goes"}
    assert_nothing_is_lost(story, "stays", "changes", "comes")


@pytest.mark.extended
def test_a_database_that_is_away_for_much_longer_than_t(own_server: PostgresServer, server_story: Story) -> None:
    """It is away for so long that none of them counts as living when it is back."""
    story, (t, outage) = server_story, (6.0, 60.0) if LONG else (3.0, 18.0)
    old, new = (start(story, release, f"--takeover-after={t}s") for release in "AB")
    go_on(story, "comes", "B")
    own_server.stop("immediate")
    away = boottime()
    wait_until(lambda: boottime() > away + outage, "the database has been away for long")
    own_server.start()
    go_on(story, "comes", "B")
    signs_of_life(story, old, round(2 * t))
    assert (ruler(story), defined(story)) == ((2, False), B)
    assert stances(old) == ["generation 1 is active", "generation 1 is superseded by generation 2"]
    assert stances(new) == ["generation 2 is active"]
    assert_nothing_is_lost(story, "stays", "changes", "comes")


@pytest.mark.extended
@pytest.mark.skipif(library() is None, reason=MISSING)
def test_a_clock_of_the_database_that_steps_by_a_minute(
    postgres_programs: Binaries, story_folder: Path, starter: Starter
) -> None:
    """Back, to where it was, and beyond: forward, nobody was seen for longer than a replica counts as living.
    Runs wait for A that nobody else may have, one of them of a schedule that B removed.
    """
    minute = 60.0
    with ClockedServer(postgres_programs) as server:
        migrations.upgrade(server.url())
        with Story(story_folder, server.url(), starter) as story:
            options = ("--takeover-after=8s", "--ttl=2m")  # so long that no lease is lost by a step
            old = start(story, "A", *options)
            runs = [story.trigger(name) for name in ("slowly", "leaves") for _ in range(2)]
            story.event("began", schedule="slowly")
            story.event("began", schedule="leaves", job="fails-once", attempt=2)
            new = start(story, "B", *options)
            go_on(story, "comes", "B")
            server.step(-minute)
            assert_nothing_changes_hands(story, old, new)
            story.pause(old)
            server.step(minute)
            signs_of_life(story, new, 2)  # after the first, it looked who lives, and missed A
            old.go_on()
            assert_nothing_changes_hands(story, old, new)
            story.pause(new)
            server.step(minute)
            old.wait_for_line("generation 2, which has no ready replica: falling back to")
            new.go_on()
            assert_nothing_changes_hands(story, old, new)
            go_on(story, "comes", "B")
            go_on(story, "changes", "B")
            for name in ("slowly", "leaves"):
                story.open(name)
                assert story.over(name, number=2).state == "succeeded"
            assert {one.state for one in story.runs() if one.id in runs} == {"succeeded"}
            assert cancelled(story) == []
            assert stances(old) == ["generation 1 is active", "generation 1 is superseded by generation 2"]
            assert stances(new) == ["generation 2 is active"]
            assert [row.number for row in story.rows(select(generation.c.number))] == [1, 2]
            assert_nothing_is_lost(story, "stays", "changes", "comes")


def assert_nothing_changes_hands(story: Story, old: ReplicaProcess, new: ReplicaProcess) -> None:
    for _ in range(2):  # longer than T, had either of them counted from the step on
        signs_of_life(story, old, 1)
        signs_of_life(story, new, 1)
    assert (ruler(story), defined(story)) == ((2, False), B)


@pytest.mark.extended
def test_a_failover_that_loses_the_newest_generation(story: Story) -> None:
    """The tables are put back to what they were before it came, beneath its replicas."""
    start(story, "A")
    kept = {table: story.rows(select(table)) for table in (generation, schedule)}
    new = start(story, "B")
    go_on(story, "comes", "B")
    put_back(story, kept)
    wait_until(lambda: defined(story) == B, "the new definitions are in the database again")
    assert ruler(story) == (2, False)
    go_on(story, "comes", "B")
    go_on(story, "changes", "B")
    go_on(story, "comes", "B")
    assert set(stances(new)) == {"generation 2 is active"}
    assert cancelled(story) == []
    assert_each_instant_has_its_run(story, "stays", "changes", "comes")


def put_back(story: Story, kept: dict[Table, list[Row[Any]]]) -> None:
    with story.engine.begin() as connection:
        connection.execute(select(schedule.c.name).with_for_update())
        for table in (job_run, run, *reversed(kept)):
            connection.execute(delete(table))
        for table, rows in kept.items():
            connection.execute(insert(table), [row._asdict() for row in rows])
