"""The stream of what changes on a page: shared by all who look at it, and asked for only while somebody does."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from time import time
from typing import Any

import pytest
from sqlalchemy import Connection
from starlette.types import Message

from daemon.answers.status import StatusFound, StatusReader
from daemon.web.address import WebAddress
from daemon.web.app import WebServer
from daemon.web.door import Door
from daemon.web.pages import events, snapshot
from daemon.web.sessions import COOKIE, LASTS, new_session
from lease.errors import StoreUnavailable
from tests.daemon.web.pages.frames import served_pages, with_replica
from tests.support.asgi import asked
from tests.support.manual import until
from tests.support.store import Store, a_schedule
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]


class Viewer:
    """A browser that reads a stream."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.ids: list[str] = []
        self.start: Message = {}
        self.ended = False
        self.task: asyncio.Task[None]
        self._new = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.leaves = asyncio.Event()

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        await self.takes.wait()
        self.ended = not message.get("more_body")
        lines = message.get("body", b"").decode().splitlines()
        self.ids += [line[4:] for line in lines if line.startswith("id: ")]
        self.events += [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        self._new.set()

    async def until(self, found: Callable[[Any], bool]) -> Any:
        """Return the first event of which this is so."""
        async with asyncio.timeout(LIMIT):
            while True:
                for event in self.events:
                    if found(event):
                        return event
                self._new.clear()
                await self._new.wait()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        opened.sync(a_schedule("nightly"))
        with_replica(opened, "web-1", release="1.4")
        yield opened


@pytest.fixture
def app(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(events, "_EVERY", 0.05)
    monkeypatch.setattr(events, "_SHARE", 0)
    monkeypatch.setattr(snapshot, "_FRESH", 0)
    with served_pages(store.url) as made:
        yield made


@asynccontextmanager
async def looking(app: Any, of: str = "%2F", root: str = "", **headers: str) -> AsyncIterator[Viewer]:
    viewer = Viewer()
    given = {"host": "127.0.0.1:8520", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{root}/events",
        "query_string": f"of={of}".encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "server": ("127.0.0.1", 8520),
        "scheme": "http",
        "root_path": "",
    }
    viewer.task = asyncio.create_task(app(scope, viewer.receive, viewer.send))
    try:
        yield viewer
    finally:
        viewer.leaves.set()
        async with asyncio.timeout(LIMIT):
            await viewer.task


def deploys(event: Any) -> bool:
    return "release 1.5 on web-2:7" in event.get("parts", {}).get("banners", "")


async def test_all_who_look_share_one_reading_and_what_changes_reaches_each(
    app: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[StatusReader] = []
    read = StatusReader.read

    def counted(reader: StatusReader, connection: Connection) -> StatusFound:
        readings.append(reader)
        return read(reader, connection)

    monkeypatch.setattr(StatusReader, "read", counted)
    before = asyncio.all_tasks()
    async with looking(app) as one, looking(app) as other:
        assert "Overview" in (await one.until(lambda event: "title" in event["parts"]))["parts"]["title"]
        await other.until(lambda event: "title" in event["parts"])
        rounds, told = len(readings), len(one.events)
        await one.until(lambda _: len(one.events) >= told + 4)
        assert len(readings) - rounds <= 5  # and not twice as many
        with_replica(store, "web-2", release="1.5")
        for viewer in (one, other):
            event = await viewer.until(deploys)
            assert event["parts"].keys() - {"checked"} == {"banners"}  # and nothing that is as it was
            assert event["verdict"] == "No problems"
    await until(lambda: asyncio.all_tasks() <= before, "nothing is left that asks once nobody looks")


async def test_who_has_the_page_is_sent_what_changed_since_and_nothing_else(app: Any, store: Store) -> None:
    page = (await asked(app, "GET", "/")).body.decode()
    digest = page.partition('data-digest="')[2].partition('"')[0]
    with_replica(store, "web-2", release="1.5")
    async with looking(app, last_event_id=digest) as viewer:
        assert (await viewer.until(lambda _: True))["parts"].keys() - {"checked"} == {"banners"}
        seen = viewer.ids[0]
    async with looking(app, last_event_id=seen) as viewer:
        assert (await viewer.until(lambda _: True))["parts"].keys() <= {"checked"}
    async with looking(app, last_event_id="of another replica") as viewer:
        assert (await viewer.until(lambda _: True))["parts"].keys() >= {"title", "banners", "problem-count"}


async def test_below_a_prefix_the_page_is_named_as_the_browser_sees_it(app: Any) -> None:
    app.door = Door(path="/ops")
    async with looking(app, "%2Fops%2Fschedules%2Fshop%2Fnightly", "/ops") as viewer:
        parts = (await viewer.until(lambda _: True))["parts"]
        assert "nightly" in parts["title"]
        assert all('href="/schedules' not in part for part in parts.values())


async def test_a_database_that_does_not_answer_is_told_since_when_and_then_it_goes_on(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StoreUnavailable("the database does not answer")

    async with looking(app) as viewer:
        await viewer.until(lambda event: "parts" in event)
        with monkeypatch.context() as broken:
            broken.setattr(StatusReader, "read", refuse)
            lost = await viewer.until(lambda event: "said" in event)
            assert lost["said"] == "the database does not answer"
            assert {event["since"] for event in viewer.events if "said" in event} == {lost["since"]}
        seen = len(viewer.events)
        await viewer.until(lambda event: "parts" in event and viewer.events.index(event) >= seen)


async def test_one_that_reads_slowly_skips_what_lies_between(app: Any, store: Store) -> None:
    async with looking(app) as slow, looking(app) as quick:
        await slow.until(lambda event: "parts" in event)
        slow.takes.clear()
        seen = len(slow.events)
        with_replica(store, "web-2", release="1.5")
        await quick.until(deploys)
        told = len(quick.events)
        await quick.until(lambda _: len(quick.events) >= told + 5)
        slow.takes.set()
        await slow.until(deploys)
        assert len(slow.events) <= seen + 2  # the one that was on its way, and how it is now


async def test_who_comes_when_it_is_full_is_told_to_come_later(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_VIEWERS", 1)
    async with looking(app) as first:
        await first.until(lambda _: True)
        answer = await asked(app, "GET", "/events?of=/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert "pages are live here already" in answer.json()["error"]
    async with looking(app) as second:
        await second.until(lambda _: True)


@pytest.mark.parametrize("takes", [True, False], ids=["into a buffer that nobody reads", "nothing"])
async def test_who_stopped_reading_keeps_no_place(app: Any, monkeypatch: pytest.MonkeyPatch, *, takes: bool) -> None:
    monkeypatch.setattr(events, "MOST_VIEWERS", 2)
    async with looking(app) as awake:
        await awake.until(lambda event: "parts" in event)
        monkeypatch.setattr(events, "_LASTS", 0.3)
        monkeypatch.setattr(events, "_PATIENCE", 0.1)
        async with looking(app) as asleep:
            await asleep.until(lambda event: "parts" in event)
            if not takes:
                asleep.takes.clear()
            await asyncio.wait_for(asleep.task, LIMIT)
            assert asleep.ended is takes
            async with looking(app, last_event_id=asleep.ids[-1]) as other:
                assert "parts" in await other.until(lambda _: True)


async def test_a_stream_ends_with_its_session_and_the_next_is_refused(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, began = "a-token-of-one-who-looks", time()
    app.door = Door(token=token)
    cookie = f"{COOKIE}={new_session(token, began)}"
    clock = [began]
    for module in ("door", "pages.events"):
        monkeypatch.setattr(f"daemon.web.{module}.time", lambda: clock[0])
    async with looking(app, cookie=cookie) as early:
        await early.until(lambda event: "parts" in event)
        clock[0] += LASTS - 1
        async with looking(app, cookie=cookie) as late:
            await late.until(lambda event: "parts" in event)
            await asyncio.wait_for(late.task, LIMIT)
            assert late.ended
    clock[0] += 1
    answer = await asked(app, "GET", "/events?of=/", {"cookie": cookie})
    assert (answer.status, set(answer.json())) == (401, {"error"})


@pytest.mark.parametrize(
    ("of", "status"),
    [
        *(("https://x.example/", 404), ("//evil.example", 404), ("/livez", 404), ("", 404), ("nowhere", 404)),
        *(("/?other=1", 422), ("/runs/x", 422), ("/timeline%3Fwindow%3D2h", 422), ("%ff", 404), ("/%00", 404)),
    ],
)
async def test_what_is_no_page_has_no_stream(app: Any, of: str, status: int) -> None:
    answer = await asked(app, "GET", f"/events?of={of}")
    assert (answer.status, set(answer.json())) == (status, {"error"})


def test_the_server_stops_at_once_while_streams_are_open(app: Any) -> None:
    server = WebServer(app, WebAddress("127.0.0.1", 0))
    server._server.config.timeout_graceful_shutdown = None  # it waits until all streams have ended
    bound = server.start()
    with socket.create_connection((bound.host, bound.port), timeout=LIMIT) as reader:
        reader.sendall(b"GET /events?of=/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while b"data: " not in got:
            got += reader.recv(65_536)
        server.stop()
        assert not server._thread.is_alive()
        while piece := reader.recv(65_536):
            got += piece
    assert got.endswith(b"0\r\n\r\n")
