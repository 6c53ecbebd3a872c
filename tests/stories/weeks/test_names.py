"""Ordinary weeks in which files have the same application name, or a revision that was a mistake (rule 21)."""

import pytest

from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

from .deploys import end, signs_of_life

pytestmark = pytest.mark.extended
SHORT = "--takeover-after=1s"
REFUSED = "never put --take-over into a unit or manifest"


def write(story: Story, name: str, *schedules: str, application: str = "app") -> str:
    """Write a FILE whose schedules are due all the time, and return its path."""
    parts = [f'[schedules.{one}]\nevery = "0.5s"\njobs = [{{ name = "work", command = "true" }}]' for one in schedules]
    return story.write_file(f"{name}.toml", "\n".join([f'application = "{application}"', *parts]))


def start(story: Story, file: str, *options: str) -> ReplicaProcess:
    replica = story.start(file, SHORT, *options)
    story.up(replica)
    return replica


def runs_again(story: Story, schedule: str) -> None:
    before = len(story.runs(schedule))
    wait_until(lambda: len(story.runs(schedule)) > before, f"{schedule} is planned again")


def current(story: Story) -> list[tuple[int, str, int | None]]:
    return [(one["number"], one["state"], one["revision"]) for one in story.told("generations")["items"]]


def problems(story: Story) -> dict[str, str]:
    return {one["kind"]: one["text"] for one in story.told("status")["problems"]}


def test_an_orchestrator_that_restarts_the_refused_pod_and_old_pods_that_continue(story: Story) -> None:
    """One schedule, renamed without `was`, and two pods."""
    old, new = write(story, "old", "nightly"), write(story, "new", "daily")
    pods = [start(story, old) for _ in range(2)]
    for _ in range(3):
        refused = story.start(new, SHORT)
        assert refused.wait() == 2
        assert "would retire all that 2 replicas on " in refused.output
        assert REFUSED in refused.output
    signs_of_life(story, pods[0], 2)
    runs_again(story, "nightly")
    assert current(story) == [(1, "current", None)]
    assert "shares no schedule with generation 1" in story.output("sync", new, "--take-over", "--why", "renamed")
    restarted = start(story, new)
    runs_again(story, "daily")
    pods[0].wait_for_line("generation 1 is superseded by generation 2")
    end(*pods)  # one may have stood in until the restart, and given way to it only now
    wait_until(lambda: "replaced" in problems(story), "it is a problem, also when the old ones have gone")
    assert restarted.status is None
    assert story.told("audit")["ok"]


def test_two_teams_with_one_application_name(story: Story) -> None:
    first, second = write(story, "first", "orders", "stock"), write(story, "second", "billing")
    one = start(story, first)
    assert story.start(second, SHORT).wait() == 2
    runs_again(story, "orders")
    end(one)
    other = start(story, second)
    told = "generation 2 shares no schedule with generation 1, and retired all of its schedules: orders, stock"
    assert other.wait_for_line(told)["level"] == "warning"
    assert "retired all of its schedules: orders, stock" in problems(story)["replaced"]
    (act,) = story.told("activity", "--act", "deploy")["items"]
    assert act["effect"] == told
    assert "was retired by generation 2" in story.output("trigger", "orders", status=1)
    for command in (("runs", "orders"), ("show", "1")):
        assert "was retired by generation 2 at" in story.output(*command)
    story.output("generations", "2", "--acknowledge")
    assert "replaced" not in problems(story)


def test_a_laptop_with_the_database_of_production(story: Story) -> None:
    production = write(story, "production", "orders", "billing")
    foreign, edited = write(story, "foreign", "mine"), write(story, "edited", "orders")
    numbered = start(story, production, "--revision=7")
    laptop = start(story, edited)
    assert "it has no revision, and generation 1 has 7" in laptop.wait_for_standing()
    end(laptop, numbered)
    story.output("sync", production, "--take-over", "--revision=7")
    numbered = start(story, production, "--revision=7")
    meant = start(story, foreign, "--revision=8")
    assert meant.said("shares no schedule with generation"), "a higher revision says that it is meant"
    assert numbered.status is None
    assert "cancelled" not in {one.state for one in story.runs()}


def test_a_laptop_where_production_gives_no_revision(story: Story) -> None:
    production = start(story, write(story, "production", "orders", "billing"))
    assert story.start(write(story, "foreign", "mine"), SHORT).wait() == 2
    laptop = start(story, write(story, "edited", "orders"))
    said = laptop.wait_for_line("generation 2 retired schedules that live replicas of other definitions run: billing")
    assert said["level"] == "warning"
    production.wait_for_line("generation 1 is superseded by generation 2")
    assert "cancelled" not in {one.state for one in story.runs()}


def test_a_revision_that_was_too_high_by_mistake(story: Story) -> None:
    files = [write(story, name, "orders", name) for name in ("mistaken", "meant", "next")]
    mistaken = start(story, files[0], "--revision=20261129")
    meant = start(story, files[1], "--revision=44")
    end(mistaken)
    assert meant.wait_for_line("held back by revision 20261129, which no replica runs")["level"] == "warning"
    assert "held back by revision 20261129, which no replica runs" in problems(story)["held back"]
    story.output("sync", files[1], "--revision=44", "--take-over")
    assert (2, "current", 44) in current(story)
    assert "held back" not in problems(story)
    following = start(story, files[2], "--revision=45")
    assert "generation 3 is active" in following.wait_for_standing()
    assert story.told("audit")["ok"]


def test_an_application_that_has_another_name_now(story: Story) -> None:
    old = start(story, write(story, "old", "orders", application="shop"))
    assert "stop its replicas first" in story.output("retire", "--application", "shop", status=1)
    end(old)
    renamed = start(story, write(story, "new", "orders", application="store"))
    assert "leased retire --application shop" in problems(story)["no replica"]
    story.output("retire", "--application", "shop", "--why", "it is store now")
    assert problems(story) == {}
    story.output("status", "--check")
    assert renamed.status is None
    assert story.told("audit")["ok"]
