"""SIGHUP: a lone replica starts anew in its place, and those of a supervisor one after another."""

import os
import signal
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select

from daemon.store.tables import replica as replica_table
from daemon.store.tables import schedule
from tests.support.replicas import Story
from tests.support.waiting import LIMIT, wait_until

FILE = """
from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("edited")
one = schedules.add("one", cron="0 3 1 1 *")
one.command("one", command("one", "tell=began", "wait=one", "tell=ended"))
two = schedules.add("two", cron="0 3 1 1 *")
two.command("two", command("two", "tell=ALTERED"))
"""
BEFORE = FILE.replace("ALTERED", "before")
AFTER = FILE.replace("ALTERED", "after")
WRONG = BEFORE.replace("schedules.add(", "schedules.ad(")


def test_a_lone_replica_drains_and_starts_anew_in_its_place_with_the_file_as_it_is(story: Story) -> None:
    file = story.write_file("edited.py", BEFORE)
    replica = story.start(file, "--now=one")
    story.event("began", job="one")
    story.write_file("edited.py", AFTER)
    replica.send(signal.SIGHUP)
    replica.wait_for_line("SIGHUP: FILE is valid; draining, then restarting with it")
    replica.send(signal.SIGHUP)
    replica.wait_for_line("SIGHUP: ignored because this replica is already stopping")
    story.open("one")
    replica.wait_for_line("generation 2")
    entries = story.rows(select(replica_table).order_by(replica_table.c.seen_at))
    assert [(one.pid, one.state) for one in entries] == [(replica.pid, "stopped"), (replica.pid, "running")]
    assert entries[0].start_time == entries[1].start_time
    assert entries[0].holder != entries[1].holder
    story.trigger("two")
    story.event("after", job="two")
    assert [(run.state, run.attempt) for run in story.runs("one")] == [("succeeded", 1)]
    assert len(story.events("began", job="one")) == 1, "--now is for one start"
    replica.send(signal.SIGTERM)
    assert replica.wait() == 143
    assert {row.state for row in story.rows(select(replica_table))} == {"stopped"}


@pytest.mark.extended
def test_sigterm_on_the_way_to_a_start_anew_ends_the_replica(postgres_story: Story) -> None:
    story = postgres_story
    replica = story.start(story.write_file("edited.py", BEFORE), "--now=one")
    story.event("began", job="one")
    replica.send(signal.SIGHUP)
    replica.wait_for_line("draining, then restarting with it")
    replica.send(signal.SIGTERM)
    replica.wait_for_line("SIGTERM: draining")
    story.open("one")
    assert replica.wait() == 143
    assert len(story.rows(select(replica_table))) == 1


def definition_of(story: Story, name: str) -> str:
    ((definition,),) = story.rows(select(schedule.c.definition).where(schedule.c.name == name))
    return str(definition)


@pytest.mark.extended
def test_the_replicas_of_a_supervisor_are_replaced_while_one_is_killed_and_the_file_is_edited(story: Story) -> None:
    """The eighth of the ordinary weeks: what was checked runs, and nothing else."""
    file = story.write_file("edited.py", BEFORE)
    supervisor = story.start(file, "--replicas=2", "--now=one")
    story.event("began", job="one")
    wait_until(lambda: len(story.living()) == 2, "both run")
    before = set(story.living())
    story.write_file("edited.py", AFTER)
    (doomed,) = before - {story.holder_pid(story.runs("one")[0].id)}
    os.kill(doomed, signal.SIGKILL)
    supervisor.wait_for_line(
        "did not start because FILE has changed since it was checked; send SIGHUP to the supervisor to load it"
    )
    refusal = "has changed since the supervisor checked it, and this replica does not run what nobody has checked"
    assert refusal in supervisor.output
    assert "Traceback" not in supervisor.output
    assert "before" in definition_of(story, "two")
    supervisor.send(signal.SIGHUP)
    supervisor.wait_for_line("FILE is valid; replacing the replicas one by one")
    story.open("one")
    supervisor.wait_for_line("all 2 replicas are replaced")
    assert "after" in definition_of(story, "two")
    assert not set(story.living()) & before
    assert len(story.living()) == 2
    assert [(run.state, run.attempt) for run in story.runs("one")] == [("succeeded", 1)]
    story.write_file("edited.py", WRONG)
    supervisor.send(signal.SIGHUP)
    supervisor.wait_for_line("SIGHUP: no replica was replaced")
    assert len(story.living()) == 2
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 143
    assert story.living() == []
    assert story.told("audit")["items"] == []


FUNCTION = """
import threading, time
from daemon import Run, Schedules
from tests.support.telling import tell

threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()  # so that each child loads it

schedules = Schedules("edited")
each = schedules.add("each", cron="0 3 1 1 *")

@each.job(retries=RETRIES)
def work(run: Run) -> None:
    tell("ran", run)
"""


@pytest.mark.extended
def test_a_function_whose_file_has_changed_goes_to_a_replica_that_has_it_as_it_was(story: Story) -> None:
    """Rule 22: nothing is run, nothing is used up, and the sentence names SIGHUP."""
    file = story.write_file("edited.py", FUNCTION.replace("RETRIES", "0"))
    replica = story.start(file)
    story.up(replica)
    story.write_file("edited.py", FUNCTION.replace("RETRIES", "1"))
    run_id = story.trigger("each")
    wait_until(lambda: story.attempts("each") == [("work", 1, "stopped")], "the attempt is stopped")
    wait_until(lambda: story.runs("each")[0].state == "pending", "the run waits")
    (row,) = story.runs("each")
    assert (row.abandoned, row.finished_at) == (0, None)
    assert '"each" has changed; FILE has changed since the replica loaded it' in row.reason
    assert "send SIGHUP" in row.reason
    assert story.events("ran") == []
    wait_until(lambda: len(story.attempts("each")) == 2, "the replica tries again")
    first, second = story.job_runs("each")
    assert second.started_at - first.finished_at > timedelta(seconds=4), "it has left it to others for a while"
    (story.folder / "as-it-was").mkdir()
    story.write_file("as-it-was/edited.py", FUNCTION.replace("RETRIES", "0"))
    other = story.start(str(story.folder / "as-it-was" / "edited.py"))
    story.over("each")
    assert story.shown(run_id)["state"] == "succeeded"
    assert [state for _, _, state in story.attempts("each")].count("succeeded") == 1
    assert "failed" not in [state for _, _, state in story.attempts("each")]
    other.send(signal.SIGTERM)
    other.wait()
    replica.send(signal.SIGHUP)
    replica.wait_for_line("generation 2")
    story.trigger("each")
    story.over("each", number=2)
    assert [one["run"] for one in story.events("ran")] == [run_id, run_id + 1]
    assert story.told("audit")["items"] == []


AT_A_TERMINAL = """
import os, sys
os.open(sys.argv[1], os.O_RDWR)  # a session's first terminal becomes its own
os.execv(sys.executable, [sys.executable, "-m", "leased", *sys.argv[2:]])
"""


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.extended
def test_when_the_terminal_closes_replicas_drain_and_end(postgres_story: Story, count: int) -> None:
    story = postgres_story
    file = story.write_file("edited.py", BEFORE)
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", AT_A_TERMINAL, os.ttyname(theirs), "run", f"--database={story.url}", "--no-web"]
    command += ["--now=one", f"--replicas={count}", file]
    log = story.folder / "at-a-terminal.log"
    process = story.spawn(command, log)
    story.event("began", job="one")
    os.close(theirs)
    os.close(ours)
    wait_until(lambda: "SIGHUP: draining" in log.read_text(), "it drains")
    story.open("one")
    assert process.wait(LIMIT) == 129
    assert [(run.state, run.attempt) for run in story.runs("one")] == [("succeeded", 1)]
    assert story.living() == []
