"""Each page of the table in a browser: dark, light, and on a phone; and the dialogs over them, without script too."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from daemon.store.tables import act
from tests.support.browsing import PHONE, Theme, findings, opened, served
from tests.support.store import Store, a_schedule

from .addresses import BY_NAME, NAMES, addresses

pytestmark = [pytest.mark.extended]

LOOKS: list[tuple[Theme, int]] = [("light", 1280), ("dark", 1280), ("light", PHONE)]
MOST_ELEMENTS = {"timeline": 6_000}


@pytest.mark.parametrize("name", [*NAMES, "checks"])
def test_a_page_has_no_error_keeps_its_layout_and_is_accessible(
    browser: Browser, site: str, shop: str, name: str
) -> None:
    """Nothing on the console, nothing that its security policy stops, no layout that shifts or is wider than the
    window, no finding of axe, and not too many elements.
    """
    for address in addresses(shop, BY_NAME[name]) if name in BY_NAME else ["fleet/checks"]:
        for theme, width in LOOKS:
            with opened(browser, site + address, theme, width) as shown:
                assert (address, theme, width, shown.trouble()) == (address, theme, width, [])
                assert shown.elements() <= MOST_ELEMENTS.get(name, 3_500)
            found = findings(browser, site + address, theme, width)
            assert (address, theme, width, found) == (address, theme, width, [])


def test_what_is_counted_on_moves_nothing_beside_it(browser: Browser, site: str, shop: str) -> None:
    """A page that is looked at goes from "59 s" to "1 h 12 min", and from "now" to "12 s ago"."""
    *_, running = addresses(shop, BY_NAME["run"])
    with opened(browser, site + running) as shown:
        places = "[...document.querySelectorAll('.facts dt')].map(one => one.getBoundingClientRect().x)"
        before = shown.page.evaluate(places)
        shown.page.evaluate("document.querySelector('.facts [data-since]').textContent = '23 h 59 min'")
        shown.page.evaluate("document.querySelector('.facts div:last-of-type span').textContent = '59 min ago'")
        assert len(before) > 4
        assert shown.page.evaluate(places) == before


def test_a_bar_says_its_run_to_the_pointer_and_to_the_arrow_keys_and_moves_nothing(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}schedules/shop/daily-full-sync") as shown:
        page, bars = shown.page, shown.page.locator(".bars a")
        high = page.evaluate("document.body.scrollHeight")

        def shows() -> list[int]:
            opaque = "all => all.flatMap((one, at) => getComputedStyle(one.firstChild).opacity === '1' ? [at] : [])"
            return list(bars.evaluate_all(opaque))

        last = bars.count() - 1
        assert shows() == [last]
        bars.nth(3).hover()
        assert shows() == [3]
        page.mouse.move(0, 0)
        bars.last.focus()
        page.keyboard.press("ArrowLeft")
        assert shows() == [last - 1]
        assert page.evaluate("document.body.scrollHeight") == high
        address = bars.nth(last - 1).get_attribute("href")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url.endswith(str(address))


def test_a_dark_page_is_printed_in_light_colours_without_what_can_only_be_pressed(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}schedules/shop/sync-erp", "dark") as shown:
        page, ink = shown.page, "getComputedStyle(document.body).color"
        controls = page.locator(".top, .acts, .btn, .filters, .seg, .keys, .news").filter(visible=True)
        assert controls.count() > 5
        assert page.evaluate(ink) == "rgb(233, 236, 241)"
        page.emulate_media(media="print")
        assert page.evaluate(ink) == "rgb(18, 22, 28)"
        assert controls.count() == 0
        expect(page.get_by_role("heading", level=1)).to_be_visible()


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
