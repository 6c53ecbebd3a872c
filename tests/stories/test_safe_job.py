"""The page "Write a safe job": wherever its code is killed, it leaves the rows that the page says, with the key and without."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from sqlalchemy import text

from tests.docs.pages import ROOT, blocks
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

PAGE = ROOT / "docs" / "how-to" / "schedules" / "write-a-safe-job.md"
TABLE = re.compile(r"^# (CREATE TABLE .*)$", re.MULTILINE)
ROW = re.compile(r"^\| (?:before|after) .* \| (?P<shown>\d) \| (?P<keyless>\d) \|$", re.MULTILINE)
POINTS = (("insert",), ("commit",), ("return", "record"), ("over",))
"""The points of the application for each row of the page's table."""
WAITING = ("shown-record", "keyless-record", "awaited-record")
"""What the test kills with its replica; the rest kills itself, or is over by then."""
RESUMED_AT = {"chunks-commit": 3, "chunks-insert": 4}
REGIONS = range(1, 11)


def rows_on_the_page() -> Iterator[tuple[str, int]]:
    """Yield each schedule with the number of rows that it leaves."""
    for row, points in zip(ROW.finditer(PAGE.read_text()), POINTS, strict=True):
        for point in points:
            yield f"shown-{point}", int(row["shown"])
            yield f"keyless-{point}", int(row["keyless"])


def make_tables(story: Story) -> None:
    shown = TABLE.findall("\n".join(blocks(PAGE, "python")))
    others = ["CREATE TABLE keyless (key text, account text)"]
    accounts = [f"INSERT INTO account VALUES ({region}, 0)" for region in REGIONS]
    with story.engine.begin() as connection:
        for statement in (*shown, *others, *accounts):
            connection.execute(text(statement))


def play(story: Story, names: list[str]) -> None:
    """Kill the replica when its runs are over or wait for that, and let another resume those."""
    options = ("--concurrency=12", *(f"--now={name}" for name in names))
    doomed = story.start("crashing.py", *options, ttl="60s")
    for name in WAITING:
        story.event("worked", schedule=name)
    over = len(names) - len(WAITING)
    wait_until(lambda: ended(doomed) == over, f"{over} runs are over")
    doomed.kill()
    heir = story.start("crashing.py", ttl="60s")
    wait_until(lambda: ended(heir) == len(WAITING), "the others are over, too")


def ended(replica: ReplicaProcess) -> int:
    """Return how many runs it has seen to their end."""
    return sum(len(replica.said(f"run {state}")) for state in ("succeeded", "failed"))


def assert_attempts(story: Story, names: list[str]) -> None:
    """Each that was killed was tried again under a higher token, and what was recorded as done was not."""
    attempts = defaultdict(list)
    for one in story.job_runs():
        attempts[one.schedule].append(one)
    for name in names:
        died = {"record": ["abandoned"], "over": []}.get(name.partition("-")[2], ["failed"])
        assert [one.state for one in attempts[name]] == [*died, "succeeded"], name
        tokens = [one.token for one in attempts[name]]
        assert tokens == sorted(set(tokens)), name
    for name, inserts in {"shown-insert": 0, "keyless-insert": 0, "shown-commit": 1, "keyless-commit": 1}.items():
        assert len(story.events("insert", schedule=name, attempt=1)) == inserts, name


def assert_chunks(story: Story) -> None:
    """Each region was billed once by each schedule, and no attempt began with what was done."""
    with story.engine.connect() as connection:
        assert connection.scalars(text("SELECT DISTINCT owed FROM account")).all() == [5 * len(RESUMED_AT)]
    for name, first in RESUMED_AT.items():
        again = [one["given"]["number"] for one in story.events("insert", schedule=name, attempt=2)]
        assert again == [*range(first, len(REGIONS) + 1)], name


def test_wherever_it_is_killed_a_job_leaves_the_rows_that_its_page_says(story: Story) -> None:
    expected = dict(rows_on_the_page())
    expected |= {"changing-return": expected["keyless-return"], "awaited-record": expected["shown-record"]}
    names = [*expected, *RESUMED_AT]
    make_tables(story)
    play(story, names)
    assert_attempts(story, names)
    with story.engine.connect() as connection:
        left = connection.scalars(text("SELECT account FROM charge UNION ALL SELECT account FROM keyless"))
        assert Counter(left) == expected
    assert_chunks(story)
