"""A hostile record on every page: escaped, in the bounds of what it is part of, and the title and the stream with it."""

import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from daemon.web.pages.routes import PAGES
from tests.daemon.web.pages.frames import served_pages
from tests.daemon.web.pages.test_events import looking
from tests.support import browsing
from tests.support.asgi import asked

from .addresses import BY_NAME, NAMES, filled
from .hostile import APPLICATION, HOSTILE, NAME, record

QUERIES = {"overview": ("q", "tag"), "timeline": ("q", "tag"), "runs": ("q", "schedule"), "activity": ("by",)}
"""Where a page shows what an address asks for."""


@pytest.fixture(scope="session")
def hostile(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[int]]:
    path = tmp_path_factory.mktemp("hostile") / "leased.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}", record(f"sqlite:///{path}")


@pytest.fixture
def app(hostile: tuple[str, list[int]]) -> Iterator[Any]:
    with served_pages(hostile[0]) as app:
        yield app


def of(name: str, run_ids: list[int]) -> list[str]:
    """Return the addresses of a page that show the record, and those that say it themselves."""
    paths = filled(BY_NAME[name], NAME, run_ids, APPLICATION)
    said = [f"{paths[0]}?{key}={quote(HOSTILE)}" for key in QUERIES.get(name, ())]
    return [*paths, *said, f"{paths[0]}?{quote(HOSTILE)}=%ff%fe", f"{paths[0]}?state=%ff%c3%28"]


@pytest.mark.anyio
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", NAMES)
async def test_a_page_has_no_element_attribute_or_letter_that_the_record_brought(
    app: Any, hostile: tuple[str, list[int]], name: str
) -> None:
    for path in of(name, hostile[1]):
        answer = await asked(app, "GET", f"/{path}")
        page = answer.body.decode()
        found = Markup(page)
        title = page.partition("<title>")[2].partition("</title>")[0]
        assert (path, answer.status < 500, found.wrong, found.scripts, found.titles) == (path, True, [], 1, 1)
        assert BIDIRECTIONAL.isdisjoint(title)
        assert len(title) < 400
        assert len(page) < 600_000


@pytest.mark.anyio
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [page.name for page in PAGES])
async def test_the_stream_of_a_page_is_as_harmless(app: Any, hostile: tuple[str, list[int]], name: str) -> None:
    """The whole page is in its first event."""
    (path, *_) = filled(BY_NAME[name], NAME, hostile[1], APPLICATION)
    async with looking(app, quote(f"/{path}")) as viewer:
        event = await viewer.until(lambda event: "parts" in event)
    assert event["parts"]
    assert [wrong for part in event["parts"].values() for wrong in Markup(part).wrong] == []


@pytest.mark.extended
@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_in_a_browser_it_changes_no_layout(browser: Browser, hostile: tuple[str, list[int]], name: str) -> None:
    with browsing.served(hostile[0]) as site:
        for path in of(name, hostile[1]):
            for width in (1280, browsing.PHONE):
                with browsing.opened(browser, site + path, width=width) as shown:
                    odd = "[...document.querySelectorAll('*')].filter(one => one instanceof HTMLUnknownElement).length"
                    assert (shown.page.evaluate(odd), shown.page.evaluate("document.scripts.length")) == (0, 1)
                    refused = [one for one in shown.trouble() if ": 4" not in one and "status of 4" not in one]
                    assert (path, width, refused) == (path, width, [])


_NAMES = """
html head meta title link script body a svg symbol defs use path circle rect line text pattern header nav span
main footer p b i bdi code kbd section aside article h1 h2 h3 ul ol li dl dt dd div form input textarea select
option label button details summary table caption colgroup col thead tbody tr th td time small strong em pre br
fieldset legend g dialog output
"""
HARMLESS = frozenset(_NAMES.split())
VOID = frozenset(["meta", "link", "input", "br", "col", "hr"])
BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Markup(HTMLParser):
    """Finds in a page what a record may have brought into it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.titles = 0
        self.scripts = 0
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in HARMLESS:
            self.wrong.append(f"the element {tag}")
        self.scripts += tag == "script"
        self.titles += tag == "title" and "svg" not in self._open
        for name, value in attrs:
            given = (value or "").strip().lower()
            if name.startswith("on") or name in {"style", "srcdoc", "formaction"}:
                self.wrong.append(f"{tag} has {name}")
            if name in {"href", "src", "action"} and not given.startswith(("/", "#", "?")):
                self.wrong.append(f"{tag} leads to {given[:60]}")
            if any(_is_control(letter) or letter in BIDIRECTIONAL for letter in value or ""):
                self.wrong.append(f"{name} of {tag} has a control character")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.wrong.append(f"{tag} ends within {self._open[-1:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if any(_is_control(letter) for letter in data):
            self.wrong.append(f"a control character in {self._open[-3:]}: {data[:80]!r}")
        if BIDIRECTIONAL & set(data):
            self.wrong.append(f"letters are turned around in {self._open[-3:]}: {data[:80]!r}")
        if self._open[-1:] == ["script"] and data.strip():
            self.wrong.append(f"a script of its own: {data[:60]}")

    def close(self) -> None:
        super().close()
        self.wrong += [f"{tag} does not end" for tag in self._open]


def _is_control(letter: str) -> bool:
    return (letter < " " and letter not in "\n\r\t") or "\x7f" <= letter <= "\x9f"
