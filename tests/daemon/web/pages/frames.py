"""The pages over a database, as a browser asks for them, and a fleet that a test makes up."""

import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest
from sqlalchemy import insert

from daemon.answers.questions import Check, DoctorAnswer
from daemon.answers.status import StatusFound, StatusReader
from daemon.store.tables import replica
from daemon.web.api.desk import Desk
from daemon.web.api.routes import api_routes
from daemon.web.app import web_app
from daemon.web.door import Door
from daemon.web.pages.routes import page_routes
from lease.database.dialects import later, now
from tests.support.asgi import Answer
from tests.support.store import Store

ILL = DoctorAnswer(ok=False, items=[Check("clock", "red", "<script>alert(1)</script> is ahead", "set it")])
"""What the page of checks finds."""
Open = Callable[[str], Coroutine[Any, Any, Answer]]


@contextmanager
def served_pages(url: str, door: Door | None = None) -> Iterator[Any]:
    """The application with all pages and the API of the database at ``url``, whose connections do not rest: a test asks for many."""
    desk = Desk(url)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("daemon.web.api.desk._REST", 0.0)
            well = DoctorAnswer(ok=True, items=[])
            routes = [*api_routes(desk, 60.0, lambda: well), *page_routes(desk, 60.0, lambda: ILL)]
            yield web_app(door or Door(), dict, dict, routes=routes)
    finally:
        desk.close()


async def leafed(opened: Open, address: str) -> AsyncIterator[Answer]:
    """Ask for a page, and for each that follows it."""
    while address:
        answer = await opened(address)
        yield answer
        following = re.search(r'rel="next" href="([^"]+)"', answer.body.decode())
        address = urljoin(address, unescape(following[1])).partition("#")[0] if following else ""


async def shown(opened: Open, path: str) -> str:
    """Ask for a page that is there, and return its text."""
    answer = await opened(path)
    assert answer.status == 200, answer.body
    return unescape(answer.body.decode())


def read(answer: Answer) -> str:
    """Return what people read on a page that is there."""
    assert answer.status == 200, answer.body
    body = re.sub(r"<svg.*?</svg>", "", answer.body.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).replace("\N{NO-BREAK SPACE}", " ").split())


def status_of(store: Store) -> StatusFound:
    """What the pages show of a database."""
    return store.do(StatusReader(None, None, None, None, None, 60.0, with_deadlines=True).read)


def with_replica(store: Store, host: str, *, seen_ago: float = 0.0, **values: Any) -> None:
    """Record a replica of ``shop`` that runs, and was last seen some seconds ago."""
    given = {"application": "shop", "pid": 7, "start_time": 1, "version": "1", "state": "running"} | values
    at = later(now(), -seen_ago)
    row = {"holder": host, "host": host, "started_at": at, "seen_at": at, **given}
    store.do(lambda connection: connection.execute(insert(replica).values(**row)))
