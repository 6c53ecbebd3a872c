"""How somebody wants to see the pages: kept by their browser, without script."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon.web.pages.frames import served_pages
from tests.support.asgi import asked
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.anyio


@pytest.fixture
def app(database_url: str) -> Iterator[Any]:
    with Store(database_url) as store, served_pages(database_url) as made:
        store.sync(a_schedule("nightly"))
        yield made


async def test_theme_and_time_zone_are_kept_by_the_browser_and_shown_by_the_server(app: Any) -> None:
    plain = (await asked(app, "GET", "/?")).body.decode()
    assert "data-theme" not in plain
    kept = await asked(app, "GET", "/view?zone=Europe/Berlin&next=/%3Fq%3Dsync%26state%3Dlate")
    assert (kept.status, kept.headers["location"]) == (303, "/?q=sync&state=late")
    assert 'leased_zone="Europe/Berlin"' in kept.headers["set-cookie"]
    assert "leased_theme" not in kept.headers["set-cookie"]
    cookies = 'leased_zone="Europe/Berlin"; leased_theme=dark'
    shown = (await asked(app, "GET", "/", {"cookie": cookies})).body.decode()
    assert 'data-theme="dark"' in shown
    assert 'aria-current="true" title="Europe/Berlin">Mine</a>' in shown


@pytest.mark.parametrize(
    "given",
    ["//other.example", "https://other.example/", "/\\other.example", "other", "/a%0d%0ab", "/%09/other.example"],
)
async def test_it_leads_to_no_other_site(app: Any, given: str) -> None:
    answer = await asked(app, "GET", f"/view?theme=dark&next={given}")
    assert (answer.status, answer.headers.get("set-cookie")) == (422, None)
    assert "give the path of a page of this site" in answer.body.decode()


@pytest.mark.parametrize("query", ["zone=Mars/Olympus", "zone=../../etc/passwd", "zone=%00", "theme=pink", "other=1"])
async def test_what_there_is_not_is_refused_and_a_cookie_with_it_is_ignored(app: Any, query: str) -> None:
    answer = await asked(app, "GET", f"/view?{query}")
    assert (answer.status, answer.headers.get("set-cookie")) == (422, None)
    kept = {"cookie": f"leased_{query.replace('%00', 'x')}"}
    assert (await asked(app, "GET", "/", kept)).status == 200
