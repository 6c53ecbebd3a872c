"""Pages in a browser: Debian's chromium, and the pages of a database that it is to show."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from daemon.answers.questions import Check, DoctorAnswer
from daemon.web.address import WebAddress
from daemon.web.api.desk import Desk
from daemon.web.app import WebServer, web_app
from daemon.web.door import Door
from daemon.web.pages.routes import page_routes
from tests.support.waiting import LIMIT

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "there is no chromium on the PATH (Debian: apt install chromium)"
PHONE = 390
_LIMIT = LIMIT * 1000
"""In milliseconds; a busy machine takes longer than playwright's own 5 s."""
# Runs before the page's own script, and is not subject to its security policy.
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", e => violations.push(`${e.violatedDirective}: ${e.blockedURI}`));
window.shifts = [];
new PerformanceObserver(list => list.getEntries().forEach(e => shifts.push([e.value, ...e.sources.map(moved)])))
    .observe({type: "layout-shift", buffered: true});
function moved({node, previousRect: from, currentRect: to}) {
    const element = node?.nodeType === 1 ? node : node?.parentElement;
    const at = ({x, y, width, height}) => `${x},${y} ${width}x${height}`;
    return `${element?.id || element?.className || element?.tagName} from ${at(from)} to ${at(to)}`;
}
"""
_LEAST_SHIFT = 0.001
"""A word that gets longer while somebody looks moves what is behind it in its line by less; 0.1 in sum counts as good."""
Theme = Literal["light", "dark"]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(MISSING)
    # Debian's chromium cannot be its own sandbox for root, nor in most containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        expect.set_options(timeout=_LIMIT)
        started = playwright.chromium.launch(executable_path=program, args=arguments, timeout=_LIMIT)
        yield started
        started.close()


CHECKED = DoctorAnswer(
    ok=False,
    items=[
        Check("database", "red", f"/srv/{'x' * 300}.db cannot be opened", "check `LEASED_DATABASE`"),
        Check("leases", "yellow", "the lease of run 7 is renewed late", "check the load of its machine"),
        Check("clock", "green", "as that of the database"),
    ],
)
"""What the page of checks finds."""


@contextmanager
def served(url: str) -> Iterator[str]:
    """Serve the pages of a database, and give their address."""
    desk = Desk(url)
    server = WebServer(
        web_app(Door(), dict, dict, routes=page_routes(desk, 60.0, lambda: CHECKED)), WebAddress("127.0.0.1", 0)
    )
    at = server.start()
    yield f"http://{at}/"
    server.stop()
    desk.close()


@dataclass
class Shown:
    """A page in a browser, and what went wrong in it."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def trouble(self) -> list[str]:
        """Return the errors of the page so far: of its script, its security policy and its layout."""
        shifts = [one for one in self.page.evaluate("shifts") if one[0] >= _LEAST_SHIFT]
        found = [f"the layout shifts by {by:.3f}: {', '.join(of)}" for by, *of in shifts]
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"the page is {wide} px wider than the window"] if wide > 0 else []
        twice = "[...document.querySelectorAll('[id]')].map(one => one.id).filter((one, at, all) => all.indexOf(one) !== at)"
        found += [f"the id {one} is there twice" for one in self.page.evaluate(twice)]
        return [*self.wrong, *self.page.evaluate("violations"), *found]

    def elements(self) -> int:
        return int(self.page.evaluate("document.querySelectorAll('*').length"))


@contextmanager
def opened(
    browser: Browser, address: str, theme: Theme = "light", width: int = 1280, **options: Any
) -> Iterator[Shown]:
    """Open a page at this width, and wait until it is there."""
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width == PHONE else 800},
        color_scheme=theme,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(_LIMIT)
    context.add_init_script(_WATCH)
    page = context.new_page()
    shown = Shown(page)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            shown.wrong.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: shown.wrong.append(str(error)))
    answer = page.goto(address, wait_until="load")
    assert answer is not None
    if not answer.ok:
        shown.wrong.append(f"{address}: {answer.status}, {page.title()}")
    yield shown
    context.close()


def findings(browser: Browser, address: str, theme: Theme, width: int) -> list[str]:
    """Return what axe finds wrong for people who cannot see, or not well. Its script needs a page without a policy."""
    with opened(browser, address, theme, width, bypass_csp=True) as shown:
        found = Axe().run(shown.page).response["violations"]
        return [
            f"{one['id']}: {node['failureSummary']}: {node['html'][:300]}" for one in found for node in one["nodes"][:3]
        ]


def photograph(page: Page, path: Path, *, whole: bool = True) -> None:
    """Keep a picture of a page."""
    page.screenshot(path=path, full_page=whole, animations="disabled")
