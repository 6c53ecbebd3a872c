"""The page of a schedule, as a browser asks for it."""

import html
import re
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote

import pytest

from daemon.web.pages.links import schedule_path
from tests.daemon.web.pages.frames import Open, leafed, read
from tests.daemon.web.pages.runs_of_each_state import HOSTILE, LONG_NAME
from tests.support.asgi import Answer

pytestmark = pytest.mark.anyio
Show = Callable[..., Coroutine[Any, Any, Answer]]
DAILY = "/schedules/shop/daily-full-sync"


@pytest.fixture
def show(opened: Open) -> Show:
    """Ask for the page of a schedule, of ``shop`` by default, with a query."""

    def ask(name: str, query: str = "", application: str = "shop") -> Coroutine[Any, Any, Answer]:
        return opened(f"/{unquote(schedule_path(application, name))}?{query}")

    return ask


async def test_it_says_what_is_so_and_shows_what_happened(show: Show, made: dict[str, int]) -> None:
    page = await show("hourly")
    shown, source = read(page), page.body.decode()
    assert page.status == 200
    assert "hourly cannot run: no running replica has its definition; web-2:22 runs other definitions Run now" in shown
    assert "failing the last finished run of hourly failed (run 14: push failed" in shown
    assert "<title>last 1,237 runs: 1,234 missed," in source
    assert "push exited 1 run 14 , attempt 2 All output" in shown
    assert "POST https://erp.example.com/v2" in shown
    assert f'href="/runs/{made["failed"]}/output?job=push&amp;attempt=2"' in source
    assert 'every = "1h"' in shown
    assert ">Pause …</a>" in source


@pytest.mark.usefixtures("made")
async def test_without_a_replica_it_says_so_and_cuts_a_long_line_of_output_but_not_its_name(show: Show) -> None:
    page = await show(LONG_NAME, application=HOSTILE[:60])
    assert f"<bdi>{LONG_NAME}</bdi></h1>".encode() in page.body
    assert "cannot run: no replica of" in read(page)
    assert b"the last line" in page.body
    assert b"y" * 1000 not in page.body


async def test_each_bar_of_its_strip_leads_to_its_run_and_says_what_became_of_it(
    show: Show, made: dict[str, int]
) -> None:
    hourly, reports = bars(await show("hourly")), bars(await show("reports"))
    said = {run_id: text for run_id, _, text in hourly}
    assert list(said) == sorted(said)
    assert [is_stop for _, is_stop, _ in hourly].index(True) == len(hourly) - 1, "the strip is one tab stop"
    assert re.search(r"\d\d:\d\d failed, took \S+( .+)?", said[made["failed"]])
    assert re.search(r"\d\d:\d\d missed, 1,234 scheduled times$", said[made["missed"]])
    assert reports[0][2].endswith(" cancelled, run now, web-2:22")
    assert reports[1][2].endswith(" waiting, web-1:11"), "it has begun before, and is tried again"


def bars(page: Answer) -> list[tuple[int, bool, str]]:
    """Return the run of each bar, whether the tab key stops there, and what it says."""
    (found,) = re.findall(r'<nav class="bars".*?</nav>', page.body.decode(), re.DOTALL)
    return [
        (int(run_id), not skipped, html.unescape(re.sub(r"<[^>]+>", "", text)))
        for run_id, skipped, text in re.findall(r'<a href="/runs/(\d+)"( tabindex="-1")?>(.*?)</a>', found, re.DOTALL)
    ]


@pytest.mark.extended
async def test_its_history_is_filtered_and_goes_on_where_a_page_ends(
    opened: Open, show: Show, made: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for query, which in {
        "": ["unstarted", "failed", "missed", "skipped"],
        "state=failed": ["failed"],
        "state=missed": ["missed"],
        "state=crashed": [],
    }.items():
        assert set(rows(await show("hourly", query))) == {made[one] for one in which}, query
    monkeypatch.setattr("daemon.web.pages.schedule.HISTORY", 5)
    pages = [page async for page in leafed(opened, f"{DAILY}?definition=whole")]
    assert all(b"definition=whole" in page.body.partition(b'rel="next"')[2][:99] for page in pages[:-1])
    assert [len(rows(page)) for page in pages] == [5, 5, 4]
    listed = [number for page in pages for number in rows(page)]
    assert listed == sorted(listed, reverse=True)


@pytest.mark.extended
async def test_a_rare_state_is_searched_part_by_part(
    opened: Open, made: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.store.views.history.LOOKED_AT", 6)
    pages = [page async for page in leafed(opened, f"{DAILY}?state=crashed")]
    found = [(rows(page), "Search further back" in read(page)) for page in pages]
    assert found == [([made["crashed"]], True), ([], True), ([], False)]


def rows(page: Answer) -> list[int]:
    """Return the runs that are listed, from the top."""
    assert page.status == 200
    return [int(number) for number in re.findall(r'<tr id="row-(\d+)"', page.body.decode())]
