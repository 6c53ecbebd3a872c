"""How replicas come up: together on an empty database, and beside others whose leases are live (rule 18)."""

from pathlib import Path

from sqlalchemy import select

from lease.schema import free_or_stale, lease
from tests.support.replicas import Story
from tests.support.starter import Starter
from tests.support.waiting import wait_until


def test_two_replicas_that_start_at_the_same_moment_on_an_empty_database_both_come_up(
    empty_database_url: str, story_folder: Path, starter: Starter
) -> None:
    """On SQLite each makes the tables; elsewhere that is a command of its own, which may be given twice at once."""
    with Story(story_folder, empty_database_url, starter) as story:
        if not empty_database_url.startswith("sqlite"):
            refused = story.start("gated.py")
            assert refused.wait() == 1
            assert "leased db upgrade" in refused.output
            assert "Traceback" not in refused.output
            upgrades = [story.leased("db", "upgrade") for _ in range(2)]
            assert [upgrade.wait() for upgrade in upgrades] == [0, 0]
        both = [story.start("gated.py", "--now=one") for _ in range(2)]
        story.up(*both)
        assert sorted(replica.said("schedules: ")[0]["message"].partition("schedules: ")[2] for replica in both) == [
            "2 added (one, two)",
            "2 unchanged",
        ]
        wait_until(lambda: len(story.living()) == 2, "both are in the list")
        story.open("one")
        story.over("one", number=2)
        assert [run.state for run in story.runs("one")] == ["succeeded", "succeeded"]
        assert [replica.status for replica in both] == [None, None]


def test_startup_cleanup_settles_what_is_stale_and_touches_no_live_lease(story: Story) -> None:
    dead = story.start("gated.py", "--now=two", ttl="1.5s")
    story.event("began", job="two")
    dead.kill()
    stale = select(free_or_stale()).where(lease.c.name == "run/gated/two")
    wait_until(lambda: story.rows(stale) == [(True,)], "its lease is stale")

    first = story.start("gated.py", "--now=one")
    cleaned = first.wait_for_line("startup cleanup")
    assert 'of "two" was left behind (token 1): abandoned' in cleaned["message"]
    for job, token in (("one", 1), ("two", 2)):
        story.event("began", job=job, token=token)

    second = story.start("gated.py")
    story.up(second)
    story.open("one")
    story.open("two")
    for job, token in (("one", 1), ("two", 2)):
        run = story.over(job)
        assert (run.state, run.token) == ("succeeded", token)
        assert len(story.events("ended", job=job)) == 1
    assert len(first.said("startup cleanup")) == 1
    assert second.said("startup cleanup") == []
    assert first.said("lease lost") == []
