"""Each page of the table in a browser: dark, light, and on a phone."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browsing import PHONE, Theme, findings, opened

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
