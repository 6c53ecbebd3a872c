"""An ordinary week with a FILE that reads differently at each load, or on each host (rules 21 and 22)."""

import signal

import pytest

from tests.support.replicas import Story
from tests.support.waiting import wait_until

from .deploys import assert_no_promise_is_broken, assert_nothing_is_lost, end, signs_of_life

FILE = """
import os
from daemon import Schedules

schedules = Schedules("app")
schedules.add("often", every="0.5s", tags=[TAG]).command("work", "true")
"""
SAME, AT_EACH_LOAD, ON_EACH_HOST = '"same"', "str(os.getpid())", 'os.environ["STORY_HOST"]'


def write(story: Story, tag: str) -> str:
    return story.write_file("app.py", FILE.replace("TAG", tag))


def runs_again(story: Story) -> None:
    before = len(story.runs("often"))
    wait_until(lambda: len(story.runs("often")) > before + 1, "what is due runs")


def generations(story: Story) -> list[tuple[int, str]]:
    return [(one["number"], one["state"]) for one in story.told("generations")["items"]]


@pytest.mark.extended
def test_a_file_that_reads_differently_at_each_load(story: Story) -> None:
    file = write(story, SAME)
    supervisor = story.start(file, "--replicas=2")
    runs_again(story)
    write(story, AT_EACH_LOAD)
    checked = story.output("check", file, status=2)
    assert 'schedule "often", tags: it reads ["' in checked
    assert "a file must define the same each time it is loaded" in checked
    supervisor.send(signal.SIGHUP)
    supervisor.wait_for_line(
        "found that FILE had changed again since it was checked; all replicas continue as they were"
    )
    runs_again(story)
    assert generations(story) == [(1, "current")]

    end(supervisor)
    started = story.start(file, "--replicas=2")
    wait_until(lambda: started.output.count("does not run what nobody has checked") > 1, "none of them starts")
    assert generations(story) == [(1, "current")]
    assert_no_promise_is_broken(story)


@pytest.mark.extended
def test_a_file_that_reads_differently_on_each_host(story: Story) -> None:
    file = write(story, ON_EACH_HOST)
    first = story.start(file, environment={"STORY_HOST": "web1"})
    assert "generation 1 is active" in first.wait_for_standing()
    second = story.start(file, environment={"STORY_HOST": "web2"})
    assert "generation 2 is active" in second.wait_for_standing()
    first.wait_for_line("generation 1 is superseded by generation 2")
    runs_again(story)
    signs_of_life(story, second, 3)
    assert generations(story) == [(2, "current"), (1, "superseded")]
    shown = story.told("status")["generations"]
    assert [(one["number"], one["differs"] and one["differs"]["retimed"]) for one in shown] == [
        (2, None),
        (1, ["often"]),
    ]
    runs_again(story)
    assert_nothing_is_lost(story, "often")
