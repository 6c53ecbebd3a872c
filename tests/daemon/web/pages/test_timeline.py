"""The timeline: a lane for each schedule, and the same as a table."""

import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.daemon.web.pages.frames import served_pages
from tests.support.asgi import asked

pytestmark = pytest.mark.anyio
Open = Callable[..., Coroutine[Any, Any, str]]


@pytest.fixture
def opened(shop: str) -> Iterator[Open]:
    async def body(path: str, status: int = 200) -> str:
        answer = await asked(app, "GET", path)
        assert answer.status == status
        return answer.body.decode()

    with served_pages(shop) as app:
        yield body


def lanes(page: str) -> dict[str, str]:
    """Return the lane of each schedule, by its name."""
    found = re.findall(r'<div id="lane-\w+".*?</div>', page, re.DOTALL)
    return {re.findall(r"<bdi>(.*?)</bdi>", one)[0]: one for one in found}


def names(page: str) -> set[str]:
    """Return the schedules of the rows of the table."""
    return set(re.findall(r'data-l="Schedule"><a href="/schedules/shop/([\w-]+)', page))


async def test_each_state_is_in_the_lane_of_its_schedule(opened: Open) -> None:
    found = lanes(await opened("/timeline"))
    assert found["sync-erp"].count('class="cross"') == 4
    assert "4 failed" in found["sync-erp"]
    assert 'class="long"' in found["warehouse-export"]
    assert 'class="late"' in found["invoice-batch"]
    assert re.search(r'class="crash".*class="hand".*', found["daily-full-sync"], re.DOTALL)
    assert 'class="skip dot"' in found["refresh-prices"]
    assert "paused by ann until" in found["newsletter-digest"]
    assert all('class="due dot"' in found[name] for name in ("sync-erp", "warehouse-export", "heartbeat-canary"))


async def test_what_has_nothing_to_show_is_one_line(opened: Open) -> None:
    page = await opened("/timeline?window=1h")
    rest = page[page.index("Nothing in this window") :].partition("</p>")[0]
    idle = set(re.findall(r"<bdi>(.*?)</bdi>", rest))
    assert idle & {"quarter-close", "monthly-statements", "newsletter-digest"}, (
        "not all of them are due in any one hour"
    )
    assert idle.isdisjoint(lanes(page))


async def test_filters_window_and_time_stay_while_one_of_them_changes(opened: Open) -> None:
    page = await opened("/timeline?window=7d&state=failing&until=2026-11-01T00:00:00Z")
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="/(timeline\?[^"]*)"', page)]
    assert "timeline?state=failing&window=24h&until=2026-11-01T00%3A00%3A00Z" in links
    assert "timeline?state=failing&window=7d" in links  # now
    assert "timeline?state=late&window=7d&until=2026-11-01T00%3A00%3A00Z" in links
    assert "timeline?state=failing&window=7d&until=2026-10-28T12%3A00%3A00Z" in links  # earlier
    assert set(lanes(await opened("/timeline?tag=erp"))) == {"sync-erp"}
    assert names(await opened("/timeline?q=WARE")) == {"warehouse-export", "daily-full-sync"}


async def test_the_table_goes_back_to_the_first_run_of_the_window_and_no_further(opened: Open) -> None:
    page, seen = (await opened("/timeline?window=1h&q=erp")), []
    while True:
        seen += re.findall(r'id="row-(\d+)"', page)
        following = re.search(r'href="/(timeline\?[^"]*before=[^"]*)"', page)
        if following is None:
            break
        page = await opened("/" + following[1].replace("&amp;", "&"))
    assert len(seen) == len(set(seen)) in (3, 4)
    week = await opened("/timeline?window=7d&q=erp")
    assert len(re.findall(r'id="row-(\d+)"', week)) == 25


async def test_long_ago_and_far_ahead_there_is_nothing_and_no_error(opened: Open) -> None:
    assert "No run in this window" in (await opened("/timeline?until=1999-01-01T00:00:00Z"))
    assert "No run in this window" in (await opened("/timeline?until=2990-01-01T00:00:00Z"))
    assert "give an instant between 1980 and 9000" in await opened("/timeline?until=9999-12-31T23:59:59Z", 422)
