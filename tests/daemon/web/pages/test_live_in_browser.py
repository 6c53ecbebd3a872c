"""A page that is live, in a browser: changes come in, are held while somebody reads, and a broken stream shows."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from daemon.jobs.reports import Piece
from daemon.store.tables import run
from daemon.web.address import WebAddress
from daemon.web.api.desk import Desk
from daemon.web.app import WebServer, web_app
from daemon.web.door import Door
from daemon.web.pages.routes import page_routes
from tests.daemon.web.pages.frames import with_replica
from tests.support.browsing import CHECKED, opened
from tests.support.completion import save_output, start_job
from tests.support.store import Store, a_schedule, pending_runs

pytestmark = [pytest.mark.extended]
AHEAD = -3_600.0
"""So that no replica is silent, and no lease stale, before the test is over."""


class Site:
    """The pages of a database, at an address that they keep."""

    def __init__(self, store: Store, door: Door | None = None) -> None:
        self.store = store
        self.door = door or Door()
        self.address = WebAddress("127.0.0.1", 0)
        self.start()

    def start(self) -> None:
        self._desk = Desk(self.store.url)
        self._server = WebServer(
            web_app(self.door, dict, dict, routes=page_routes(self._desk, 60.0, lambda: CHECKED)),
            self.address,
        )
        self.address = self._server.start()

    def stop(self) -> None:
        self._server.stop()
        self._desk.close()


@pytest.fixture
def site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    path = tmp_path / "leased.db"
    shutil.copy(sqlite_template, path)
    with Store(f"sqlite:///{path}") as store:
        store.sync(a_schedule("nightly"))
        with_replica(store, "web-1", release="1.0", seen_ago=AHEAD)
        made = Site(store)
        yield made
        made.stop()


def button(page: Page, text: str) -> None:
    expect(page.locator("#live b")).to_have_text(text)


def says(page: Page, text: str) -> None:
    expect(page.locator("#banners")).to_contain_text(text)


def icon(page: Page) -> Any:
    return page.evaluate("document.getElementById('icon').href.split('/').pop()")


SET_THE_CLOCK = """hours => {
  const was = Date.now;
  Date.now = () => was() + hours * 3600e3;
  document.getElementById("live").click();  // which writes the times at once
}"""


G_AND_R = """() => {  // both within the second and a half that they may take
  for (const key of "gr") document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_is_set_under_an_open_page_changes_no_elapsed_time(
    browser: Browser, site: Site, hours: int
) -> None:
    pending_runs(site.store, a_schedule("nightly"), 1)
    site.store.claim("nightly", holder="web-1", ttl=-AHEAD)
    site.store.shift(run, started_at=-36_000)  # the hour does not pass with the minutes of a busy machine
    with opened(browser, f"http://{site.address}/") as shown:
        page, elapsed = shown.page, shown.page.locator("main [data-since]").first
        expect(elapsed).to_have_text(re.compile("^10"))
        button(page, "Live")
        page.evaluate(SET_THE_CLOCK, hours)
        assert elapsed.inner_text()[:2] == "10"
        expect(page.locator("#live b")).to_have_text(re.compile("^Held"))  # and what has changed meanwhile
        page.locator("#live").click()
        expect(page.locator(".as-of .ago")).to_have_text(re.compile(r"^, \d+\ss ago$"))
        button(page, "Live")


def test_changes_come_in_are_held_on_request_and_a_dead_server_shows_until_it_is_back(
    browser: Browser, site: Site
) -> None:
    with opened(browser, f"http://{site.address}/") as shown:
        page = shown.page
        button(page, "Live")
        width = page.locator("#live").bounding_box()
        page.evaluate("window.isLoadedOnce = true")
        with_replica(site.store, "web-2", release="1.1", seen_ago=AHEAD)
        says(page, "release 1.1 on web-2:7")
        assert icon(page) == "good.svg"

        page.keyboard.press("h")
        button(page, "Held")
        with_replica(site.store, "web-3", release="1.2", seen_ago=AHEAD)
        button(page, "Held 1")
        expect(page.locator("#banners")).not_to_contain_text("1.2")
        page.keyboard.press("h")
        says(page, "release 1.2 on web-3:7")
        button(page, "Live")

        page.locator("h1").first.select_text()
        button(page, "Held")
        page.evaluate("getSelection().removeAllRanges()")
        button(page, "Live")
        page.keyboard.press("?")
        button(page, "Held")
        page.keyboard.press("Escape")
        button(page, "Live")
        assert [*shown.wrong, *page.evaluate("violations")] == []

        site.stop()
        button(page, "Not live")
        assert page.locator("#live").bounding_box() == width
        expect(page.locator("#lost")).to_contain_text("Not live since ")
        expect(page.locator("#lost")).to_contain_text("The server does not answer. What you see may be out of date.")
        expect(page.locator("#lost .when")).to_contain_text("next try in")
        assert icon(page) == "lost.svg"
        assert page.evaluate("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        assert page.evaluate("[...document.querySelectorAll('main .acts')].every(one => one.inert)")
        with_replica(site.store, "web-4", release="1.3", seen_ago=AHEAD)
        site.start()
        button(page, "Live")
        says(page, "release 1.3 on web-4:7")
        expect(page.locator("#lost")).to_be_hidden()
        assert page.evaluate("isLoadedOnce")
        assert icon(page) == "good.svg"


def test_a_page_of_another_release_offers_to_load_that_of_this_one(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(browser, f"http://{site.address}/") as shown:
        page = shown.page
        button(page, "Live")
        expect(page.locator(".news")).to_be_hidden()
        page.evaluate("window.isLoadedOnce = true")
        with monkeypatch.context() as other:
            other.setattr("daemon.web.pages.events.asset", lambda name: f"assets/0123456789abcdef/{name}")
            expect(page.locator(".news")).to_have_text("Show 1 change")
            with page.expect_navigation():
                page.locator(".news").click()
        assert not page.evaluate("window.isLoadedOnce")
        button(page, "Live")
        expect(page.locator(".news")).to_be_hidden()


def test_a_stream_that_ends_is_followed_by_another_until_the_session_is_over(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "a-token-of-one-who-looks"
    site.stop()
    site.door = Door(token=token)
    site.start()
    monkeypatch.setattr("daemon.web.pages.events._LASTS", 0.5)
    with opened(browser, f"http://{site.address}/runs?state=failed") as shown:
        page = shown.page

        def sign_in() -> None:
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Sign in").click()
            button(page, "Live")

        sign_in()
        page.evaluate("new MutationObserver(() => (window.wasLost ||= !lost.hidden)).observe(lost, {attributes: true})")
        for _ in range(3):
            with page.expect_request("**/events?*"):
                pass
        assert not page.evaluate("window.wasLost")
        button(page, "Live")
        page.context.clear_cookies()
        button(page, "Not live")
        expect(page.locator("#lost")).to_contain_text("You are not signed in anymore.")
        page.locator("#lost").get_by_role("link", name="Sign in").click()
        sign_in()
        assert page.url.endswith("/runs?state=failed")
        expect(page.locator("#lost")).to_be_hidden()


def test_a_row_that_comes_waits_until_somebody_asks_for_it(browser: Browser, site: Site) -> None:
    with opened(browser, f"http://{site.address}/") as shown:
        page = shown.page
        button(page, "Live")
        rows = page.locator("table.sched tbody tr")
        expect(rows).to_have_count(1)
        site.store.sync(a_schedule("hourly"), a_schedule("nightly"))
        news = page.locator(".news")
        expect(news).to_be_visible()
        expect(news).to_contain_text("Show ")
        expect(rows).to_have_count(1)
        page.evaluate("window.isLoadedOnce = true")
        news.click()
        expect(rows).to_have_count(2)
        expect(news).to_be_hidden()
        button(page, "Live")
        assert page.evaluate("isLoadedOnce")
        assert shown.wrong == []


def test_theme_zone_and_pages_have_keys_and_the_choice_is_kept(browser: Browser, site: Site) -> None:
    with opened(browser, f"http://{site.address}/") as shown:
        page = shown.page
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        for zone in ("UTC", "Mine", "Schedule’s"):  # noqa: RUF001 - as it is on the page
            with page.expect_navigation():
                page.keyboard.press("z")
            expect(page.locator(".top .seg [aria-current]")).to_have_text(zone)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.keyboard.press("/")
        page.keyboard.type("gr?")
        assert page.locator("input:focus").input_value() == "gr?"
        page.keyboard.press("Escape")
        with page.expect_navigation(url="**/runs"):
            page.evaluate(G_AND_R)
        assert shown.trouble() == []


def test_output_comes_at_its_end_and_is_held_while_somebody_reads_further_up(browser: Browser, site: Site) -> None:
    pending_runs(site.store, a_schedule("nightly"), 1)
    (claimed,) = site.store.claim("nightly", holder="web-1", ttl=-AHEAD)
    job = site.store.do(start_job, claimed, "work", 0, 1)
    assert isinstance(job, int)
    lines = "".join(f"line {number}\n" for number in range(1, 301))
    site.store.do(save_output, "web-1", {job: Piece(0, 0, lines)})
    with opened(browser, f"http://{site.address}/runs/{claimed.run_id}") as shown:
        page = shown.page
        log = page.get_by_role("log")
        button(page, "Live")
        log.scroll_into_view_if_needed()
        expect(log.get_by_text("line 300")).to_be_in_viewport()
        expect(log).to_contain_text("100 earlier lines. Show 200 more")
        site.store.do(save_output, "web-1", {job: Piece(len(lines), 300, "the newest\n")})
        expect(log.get_by_text("the newest")).to_be_in_viewport()
        log.evaluate("one => { one.scrollTop = -900 }")
        button(page, "Held")
        log.evaluate("one => { one.scrollTop = 0 }")
        button(page, "Live")
        assert shown.wrong == []
