"""How replicas come up together on an empty database."""

from pathlib import Path

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
            "3 added (one, two, deaf)",
            "3 unchanged",
        ]
        wait_until(lambda: len(story.living()) == 2, "both are in the list")
        story.open("one")
        story.over("one", number=2)
        assert [run.state for run in story.runs("one")] == ["succeeded", "succeeded"]
        assert [replica.status for replica in both] == [None, None]
