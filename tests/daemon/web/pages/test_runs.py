"""The list of runs, as a browser gets it."""

import re
from html import unescape
from urllib.parse import parse_qs

import pytest

from daemon.store.views import history
from tests.daemon.web.pages.frames import Open, leafed
from tests.support.asgi import Answer

pytestmark = pytest.mark.anyio


def listed(answer: Answer) -> list[int]:
    """Return the runs that a page lists, from the top."""
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    return [int(part.split('"')[0]) for part in text.split('<tr id="row-')[1:]]


async def test_the_filters_choose_runs_and_pages_follow_each_other(
    made: dict[str, int], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = listed(await opened("/runs"))
    assert everything == sorted(everything, reverse=True)
    assert set(made.values()) <= set(everything)
    for query, which in {
        "state=failed": ["hostile", "failed"],
        "state=crashed": ["crashed"],
        "state=missed": ["missed"],
        "state=skipped": ["missed", "skipped"],
        "state=pending&q=REPO": ["waiting"],
        "schedule=hourly&state=failed": ["failed"],
        "application=shop&state=cancelled": ["cancelled"],
        "q=%25": [],
    }.items():
        assert listed(await opened(f"/runs?{query}")) == [made[one] for one in which], query
    monkeypatch.setattr("daemon.web.pages.runs.SHOWN", 6)
    pages = [listed(page) async for page in leafed(opened, "/runs")]
    assert [run_id for page in pages for run_id in page] == everything
    assert {len(page) for page in pages[:-1]} == {6}


async def test_another_filter_keeps_the_others_and_begins_with_the_newest(made: dict[str, int], opened: Open) -> None:
    page = (await opened(f"/runs?application=shop&before={max(made.values())}")).body.decode()
    queries = [parse_qs(query) for query in re.findall(r'<a class="chip" href="/runs[?]([^"]*)"', unescape(page))]
    assert {"state": ["failed"], "application": ["shop"]} in queries
    assert [query for query in queries if "before" in query] == []


async def test_a_search_that_no_index_finds_looks_at_so_many_runs_and_goes_on_from_there(
    made: dict[str, int], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOKED_AT", 5)
    first = await opened("/runs?state=crashed")
    assert listed(first) == []
    bottom = made["hostile"] - 4
    assert f"/runs?state=crashed&amp;before={bottom}" in first.body.decode()
    assert listed(await opened(f"/runs?state=crashed&before={bottom}")) == [made["crashed"]]
