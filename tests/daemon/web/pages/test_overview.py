"""The first page, as a browser gets it: what is wrong, what runs, what comes, and the schedules."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from sqlalchemy import select

from daemon.store.tables import schedule
from tests.daemon.store.test_views import MINUTE, Rows, rows_in
from tests.daemon.web.pages.frames import Open, leafed, shown, status_of
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.anyio


class _Text(HTMLParser):
    """The elements of a page, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements += 1
        if tag in {"p", "li", "td", "tr", "h1", "h2", "div"}:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"b", "h1", "h2"}:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


def read(page: str) -> _Text:
    parser = _Text()
    parser.feed(page)
    return parser


def without_times(text: str) -> str:
    return re.sub(r"\b(\d+[hms])+\b", "…", text)


def listed(page: str) -> list[str]:
    """Return the schedules of the table, from the top."""
    return re.findall(r'<tr id="schedules/[^"]*/([^"/]*)"', page)


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """Ten schedules with a replica: two fail, one is late, one is paused."""
    with Store(database_url) as store:
        names = [f"s{number}" for number in range(10)]
        store.sync(*(a_schedule(name, tags=["odd"] if int(name[1]) % 2 else []) for name in names))
    with rows_in(database_url) as rows:
        rows.replica()
        for name in names:
            rows.run("succeeded", 60, schedule=name)
        for name in ("s3", "s8"):
            rows.run("failed", 30, schedule=name, reason="job push exited 3")
        rows.run("pending", 20, schedule="s5")
        rows.connection.exec_driver_sql(
            "UPDATE schedule SET paused_at = created_at, paused_by = 'ann', paused_why = 'a move' WHERE name = 's1'"
        )
        yield rows


BY_RANK = ["s3", "s8", "s5", "s0", "s1", "s2", "s4", "s6", "s7", "s9"]


@pytest.fixture
def committed(rows: Rows) -> Rows:
    rows.connection.commit()
    return rows


@pytest.mark.usefixtures("committed")
async def test_the_broken_schedules_are_first_and_each_is_on_one_page(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listed(await shown(opened, "/")) == BY_RANK
    monkeypatch.setattr("daemon.web.pages.overview.SHOWN", 2)
    assert [name async for page in leafed(opened, "/") for name in listed(page.body.decode())] == BY_RANK
    assert listed(await shown(opened, "/?after=99/z/z")) == []


@pytest.mark.usefixtures("committed")
async def test_filters_leave_what_is_so_and_their_counts_are_those_of_all(opened: Open) -> None:
    for query, left in {
        "state=failing": ["s3", "s8"],
        "state=late": ["s5"],
        "state=waiting": ["s5"],
        "state=paused": ["s1"],
        "tag=odd&state=failing": ["s3"],
        "q=S5": ["s5"],
        "q=od": ["s3", "s5", "s1", "s7", "s9"],
        "q=%25": [],
        "tag=unknown": [],
        "application=shop&state=late": ["s5"],
        "application=bank": [],
    }.items():
        page = await shown(opened, f"/?{query}")
        assert listed(page) == left, query
        text = read(page).text
        assert f"showing {len(left)} of 10" in text
        for count in ("All 10", "Failing 2", "Late 1", "Long 0", "Running 0", "Waiting 1", "Paused 1"):
            assert count in text, query


@pytest.mark.usefixtures("committed")
async def test_a_schedule_that_gets_better_between_two_pages_hides_no_other(
    database_url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.web.pages.overview.SHOWN", 1)
    monkeypatch.setattr("daemon.web.pages.snapshot._FRESH", 0)
    monkeypatch.setattr("daemon.web.pages.snapshot._USABLE", 0)
    page = await shown(opened, "/")
    with rows_in(database_url) as rows:
        rows.run("succeeded", 1, schedule="s3")
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    assert listed(page) + listed(await shown(opened, following[1])) == ["s3", "s8"]


@pytest.mark.usefixtures("committed")
async def test_a_list_that_is_empty_says_why(opened: Open) -> None:
    text = read(await shown(opened, "/?state=long&application=shop&tag=odd")).text
    assert "No schedule is long" in text
    assert "The filter state “long” and application “shop” and tag “odd” hides" in text
    assert "Nothing is running Next: " in text


async def test_a_new_database_says_what_to_type(opened: Open) -> None:
    text = read(await shown(opened, "/")).text
    assert "There are no schedules yet; leased run FILE or leased sync FILE adds them." in text
    assert "No schedules yet Start a replica with a file: leased run FILE" in text
    assert "Nothing is wrong" not in text


@pytest.mark.usefixtures("committed")
async def test_where_nothing_is_wrong_no_more_is_claimed_than_was_looked_at(database_url: str, opened: Open) -> None:
    with Store(database_url) as store, store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM run WHERE state IN ('failed', 'pending')")
        connection.exec_driver_sql("UPDATE schedule SET enabled = false WHERE name = 's2'")
        connection.exec_driver_sql("UPDATE schedule SET next_due = NULL WHERE name = 's4'")
        asked = schedule.update().where(schedule.c.name == "s7").values(next_due=None, trigger="on request")
        connection.execute(asked)
        at = connection.execute(select(schedule.c.created_at).where(schedule.c.name == "s9")).scalar_one()
        gone = {"retired_at": at, "retired_by": "generation 2", "next_due": None}
        connection.execute(schedule.update().where(schedule.c.name == "s9").values(gone))
    text = read(await shown(opened, "/")).text
    said = "Nothing is wrong. 5 schedules are on time; 1 runs on request only; 1 has no scheduled time left; "
    said += "1 is paused; 1 is disabled; 1 was retired in the last day."
    assert said in text
    assert "Retired in the last day: s9 by generation 2, " in read(await shown(opened, "/?q=s9")).text


@pytest.mark.usefixtures("committed")
async def test_a_problem_is_the_sentence_of_status_with_links_and_what_helps(database_url: str, opened: Open) -> None:
    page = await shown(opened, "/")
    with Store(database_url) as store:
        problems = status_of(store).problems
    text = read(page).text
    for problem in problems:
        assert without_times(problem.text[1:]) in without_times(text)
    failed = next(one for one in problems if one.schedule == "s3")
    assert f'<a href="/runs/{failed.run_id}">' in page
    assert f'<a class="btn" href="/runs/{failed.run_id}/retry">Retry …</a>' in page
    assert f"Read its output, then retry run {failed.run_id}." in text
    assert text.index("The last run of s3") < text.index("The last run of s8") < text.index("of s5 has waited")


async def test_what_is_overdue_is_not_said_to_be_not_due(rows: Rows, opened: Open) -> None:
    rows.connection.execute(schedule.update().values(next_due=rows.now - 5 * MINUTE))
    rows.connection.commit()
    text = read(await shown(opened, "/")).text
    assert "Nothing is running" in text
    assert "Nothing is due either" not in text


async def test_two_silent_replicas_have_ids_of_their_own(rows: Rows, opened: Open) -> None:
    for number in (8, 9):
        rows.replica(f"replica-{number}", host="web-9", pid=number, seen_at=rows.now - 5 * MINUTE)
    rows.connection.commit()
    ids = re.findall(r'id="(problem-silent-[^"]*)"', await shown(opened, "/"))
    assert (len(ids), len(set(ids))) == (2, 2)


MANY = """
WITH RECURSIVE number(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM number WHERE at < 30)
INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, created_at, started_at, finished_at)
SELECT application, name, created_at, 'manual', 'succeeded', 'x', created_at, created_at, {end} FROM schedule, number
"""


@pytest.mark.extended
async def test_a_full_page_stays_within_its_budget(database_url: str, opened: Open) -> None:
    """A page of 100 schedules: 170 KB of HTML, and 3,500 elements."""
    with Store(database_url) as store:
        store.sync(*(a_schedule(f"number-{at:03}-of-a-shop", tags=["erp"]) for at in range(120)))
        later = "created_at + 60" if store.sqlite else "created_at + interval '1 minute'"
        store.do(lambda connection: connection.exec_driver_sql(MANY.format(end=later)))
    page = await shown(opened, "/")
    assert len(listed(page)) == 100
    assert len(page.encode()) <= 170_000
    assert read(page).elements <= 3_500
