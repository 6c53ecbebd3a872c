"""The dialogs in a browser, with script and without it: they open over the page, and only their own button acts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from daemon.store.tables import act
from tests.support.browsing import served
from tests.support.store import Store, a_schedule

pytestmark = [pytest.mark.extended]

ACTS = "[name=form_token]"
HOURLY = "schedules/shop/hourly"


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store(sqlite_url) as opened:
        opened.sync(a_schedule("hourly"))
        yield opened


def done(store: Store) -> list[tuple[str, str | None]]:
    return [(one.act, one.why) for one in store.rows(select(act).order_by(act.c.id))]


def test_with_script_a_dialog_opens_over_the_page_and_says_at_once_what_was_typed_comes_to(
    browser: Browser, store: Store
) -> None:
    with served(store.url) as site, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site}{HOURLY}")
        page.locator(f'a[href$="{HOURLY}/pause"]').first.click()
        page.wait_for_selector("dialog[open] form")
        assert page.evaluate("document.activeElement.id") == "why"
        page.keyboard.type("a deploy")
        page.keyboard.press("Enter")
        page.fill("#until", "150m")
        assert page.locator(ACTS).is_disabled(), "until it is known what that comes to"
        page.wait_for_selector(f"dialog {ACTS}:not([disabled])")
        assert "will be skipped" in page.inner_text("dialog .cons")
        page.fill("#until", "soon")
        assert '"soon" is not a time' in page.locator("dialog .said").inner_text()
        assert page.locator(ACTS).is_disabled()
        assert page.input_value("#why") == "a deploy"
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog[open]", state="detached")
        assert page.evaluate("document.activeElement.pathname") == f"/{HOURLY}/pause"
        assert done(store) == []
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open] form")
        page.fill("#why", "a deploy")
        with page.expect_navigation():
            page.click(f"dialog {ACTS}")
        assert done(store) == [("pause", "a deploy")]


def test_without_script_a_dialog_is_a_page_and_enter_does_nothing_or_previews(browser: Browser, store: Store) -> None:
    with served(store.url) as site, browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site}{HOURLY}/pause")
        page.fill("#why", "a deploy")
        page.press("#why", "Enter")
        page.goto(f"{site}{HOURLY}/backfill")
        page.fill("#why", "an outage")
        page.press("#why", "Enter")
        page.wait_for_url("**/backfill?**")
        assert "form_token" not in page.url
        assert page.input_value("#why") == "an outage"
        assert done(store) == []
        page.goto(f"{site}{HOURLY}/pause")
        page.fill("#why", "a deploy")
        page.click(ACTS)
        assert page.url == f"{site}{HOURLY}"
        assert done(store) == [("pause", "a deploy")]
