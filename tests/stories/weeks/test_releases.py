"""Ordinary weeks in which replicas run other code under equal definitions (rule 22)."""

import pytest

from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

from .deploys import assert_no_promise_is_broken, end

FILE = """
from daemon import Run, Schedules
from tests.support.telling import tell

schedules = Schedules("fixed"REQUIRED)

@schedules.cron("0 3 1 1 *", overlap="allow")
def each(run: Run) -> None:
    tell("CODE", run)
"""


def write(story: Story, code: str, *, required: bool = False) -> str:
    """Write FILE into a folder of its own, with this in its function: what differs is code, and nothing else."""
    (story.folder / code).mkdir(exist_ok=True)
    text = FILE.replace("CODE", code).replace("REQUIRED", ", require_revision=True" if required else "")
    return story.write_file(f"{code}/fixed.py", text)


def release_of(story: Story, replica: ReplicaProcess) -> str | None:
    (line,) = [one for one in story.told("replicas")["items"] if one["pid"] == replica.pid]
    release: str | None = line["release"]
    return release


@pytest.mark.extended
def test_a_straggler_that_runs_other_code_is_shown_and_so_is_which_code_ran(story: Story) -> None:
    old, new = story.start(write(story, "bug")), story.start(write(story, "fix"))
    story.up(old, new)
    releases = {release_of(story, replica) for replica in (old, new)}
    assert len(releases) == 2
    assert all(release is not None and release.startswith("sha256:") for release in releases)
    (generation,) = story.told("generations")["items"]
    assert {one["release"] for one in generation["replicas"]} == releases
    for command in ("status", "replicas"):
        assert "2 releases of fixed are live: " in story.output(command)
    run_ids = [story.trigger("each") for _ in range(3)]
    story.over("each", number=3)
    for run_id in run_ids:
        ran = "bug" if story.events("bug", run=run_id) else "fix"
        (attempt,) = story.shown(run_id)["items"]
        assert attempt["release"] == release_of(story, {"bug": old, "fix": new}[ran])
    end(old)
    named = story.start(write(story, "fix"), environment={"LEASED_RELEASE": "shop:1.4"})
    story.up(named)
    assert release_of(story, named) == "shop:1.4"
    end(new)
    assert "releases" not in story.output("status")
    assert_no_promise_is_broken(story)


@pytest.mark.extended
def test_where_a_revision_is_required_a_straggler_claims_nothing_until_the_higher_ones_are_gone(story: Story) -> None:
    old = story.start(write(story, "bug", required=True), "--revision=43")
    story.up(old)
    first = story.trigger("each")
    story.event("bug", run=first)
    new = story.start(write(story, "fix", required=True), "--revision=44")
    story.up(new)
    number = 5
    run_ids = [story.trigger("each") for _ in range(number)]
    story.over("each", number=1 + number)
    assert {one["run"] for one in story.events("fix")} == set(run_ids)
    assert [one["run"] for one in story.events("bug")] == [first]
    old.wait_for_line("this replica claims no runs: its revision is 43, a replica of revision 44 is ready")
    shown = " ".join(story.output("status").split())
    assert f":{old.pid} claims no runs of fixed: its revision is 43" in shown
    new.kill()
    last = story.trigger("each")
    story.event("bug", run=last)
    old.wait_for_line("no replica of a higher revision than 43 is ready; this one claims runs")
    idle = story.start(write(story, "fix", required=True), "--revision=42", "--until-idle")
    wait_until(lambda: idle.status is not None, "it ends")
    assert "revision 42" in idle.output
    assert_no_promise_is_broken(story)
