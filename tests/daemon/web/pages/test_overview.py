"""The first page, as a browser gets it: what is wrong, what runs, what comes, and the schedules."""

import re
from collections.abc import Callable, Coroutine, Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.daemon.store.test_views import Rows, rows_in
from tests.daemon.web.pages.frames import served_pages
from tests.support.asgi import Answer, asked
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.anyio
Open = Callable[[str], Coroutine[Any, Any, str]]


class _Text(HTMLParser):
    """The elements of a page, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements += 1
        if tag in {"p", "li", "td", "tr", "h1", "h2", "span", "a"}:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


def read(page: str) -> _Text:
    parser = _Text()
    parser.feed(page)
    return parser


async def body(app: Any, path: str, status: int = 200) -> str:
    answer: Answer = await asked(app, "GET", path)
    assert answer.status == status, answer.body
    return answer.body.decode()


@pytest.fixture
def opened(database_url: str) -> Iterator[Open]:
    with served_pages(database_url) as app:
        yield lambda path: body(app, path)


def listed(page: str) -> list[str]:
    """Return the schedules of the table, from the top."""
    return re.findall(r'<tr id="schedules/[^"]*/([^"/]*)"', page)


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """Ten schedules with a replica: two fail, one is late, one is paused."""
    with Store(database_url) as store:
        names = [f"s{number}" for number in range(10)]
        store.sync(*(a_schedule(name, tags=["odd"] if int(name[1]) % 2 else []) for name in names))
    with rows_in(database_url) as rows:
        rows.replica()
        for name in names:
            rows.run("succeeded", 60, schedule=name)
        for name in ("s3", "s8"):
            rows.run("failed", 30, schedule=name, reason="job push exited 3")
        rows.run("pending", 20, schedule="s5")
        rows.connection.exec_driver_sql(
            "UPDATE schedule SET paused_at = created_at, paused_by = 'ann', paused_why = 'a move' WHERE name = 's1'"
        )
        yield rows


BY_RANK = ["s3", "s8", "s5", "s0", "s1", "s2", "s4", "s6", "s7", "s9"]


@pytest.fixture
def committed(rows: Rows) -> Rows:
    rows.connection.commit()
    return rows


@pytest.mark.usefixtures("committed")
async def test_the_broken_schedules_are_first_and_each_is_on_one_page(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listed(await opened("/")) == BY_RANK
    monkeypatch.setattr("daemon.web.pages.overview.SHOWN", 2)
    pages, address = [], "/"
    while address:
        page = await opened(address)
        pages += listed(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = unescape(following[1]) if following else ""
    assert pages == BY_RANK
