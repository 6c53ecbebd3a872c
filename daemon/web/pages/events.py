"""Live pages: a stream of what changes, for each who looks, as server-sent events.

All who look at one page alike share a channel. The database is asked once for all channels, every two seconds, and only
while somebody looks. Each viewer gets what differs from the page that they have, so none waits for another, and a
slow reader skips what lies between.

Each stream ends after a minute, or with the session of the browser, and the page asks for another one. So the door looks
again at who asks, and who has stopped reading, such as a laptop that sleeps, keeps no place.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, time

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lease.errors import LeaseError

from ...answers.status import StatusFound
from ...errors import DaemonError
from ...store.views.problems import Problem
from ...text import counted, json_text
from ..api.endpoints import sentence_of
from ..app import AT_END
from .making import Maker
from .page import PageView
from .site import Rendered, asset

MOST_VIEWERS = 100
_LASTS = 60.0
"""Seconds after which a stream ends …"""
_PATIENCE = 5.0
"""… and so many later, it is broken off if the viewer's connection does not take its end."""
RETRY = 30
"""Seconds after which one that was sent away may try again."""
_EVERY = 2.0
_SHARE = 8.0
"""Times as long as a round has taken, nothing is asked."""
_KEPT = 64
"""So many pages are known by their digest: a viewer who has one of them gets only what differs."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A page at one moment, or why it cannot be made since when."""

    made: Rendered | None
    fields: Mapping[str, object]


@dataclass(eq=False, slots=True)
class Channel:
    """A page for all who look at it alike."""

    view: PageView
    viewers: int = 0
    latest: Moment | None = None
    lost_since: datetime | None = None
    messages: dict[str, bytes] = field(default_factory=dict)
    """What is sent at this moment to those who have a page with this digest."""


class Hub:
    """Knows who looks at which page, and sends them what changes."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self._channels: dict[PageView, Channel] = {}
        self._known: OrderedDict[str, Mapping[str, int]] = OrderedDict()
        self._round = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self._problems: frozenset[object] = frozenset()
        self._verdict = ""
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether nobody else may look."""
        return sum(channel.viewers for channel in self._channels.values()) >= MOST_VIEWERS

    def remember(self, page: Rendered) -> None:
        """Know what somebody has been shown."""
        self._known[page.digest] = page.prints
        self._known.move_to_end(page.digest)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def close(self) -> None:
        """End all streams; call it in the loop of the server."""
        self._closed = True
        if self._polling is not None:
            self._polling.cancel()
        self._round.set()

    @contextmanager
    def viewing(self, view: PageView) -> Iterator[Channel]:
        """Look at a page during the block."""
        channel = self._channels.setdefault(view, Channel(view))
        channel.viewers += 1
        if self._polling is None and not self._closed:
            self._polling = asyncio.create_task(self._poll())
        try:
            yield channel
        finally:
            channel.viewers -= 1
            if not channel.viewers:
                del self._channels[view]
            if not self._channels and self._polling is not None:
                self._polling.cancel()
                self._polling = None

    async def messages(self, channel: Channel, has: str, end: float) -> AsyncIterator[bytes]:
        """Yield the messages for a viewer whose page has this digest: one at least, and more until the loop's ``end``."""
        told: Moment | None = None
        yield b"retry: 5000\n\n"
        while not self._closed:
            following, moment = self._round, channel.latest
            if moment is not None and moment is not told:
                yield self._message(channel, moment, has)
                told, has = moment, has if moment.made is None else moment.made.digest
            elif told is not None and asyncio.get_running_loop().time() >= end:
                return
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(None if told is None else end):
                        await following.wait()

    def _message(self, channel: Channel, moment: Moment, has: str) -> bytes:
        if moment.made is None:
            return f"event: lost\ndata: {json_text(moment.fields)}\n\n".encode()
        if (known := channel.messages.get(has)) is None:
            parts = _changed(moment.made, self._known.get(has, {}))
            body = json_text({**moment.fields, "parts": parts})
            known = channel.messages[has] = f"id: {moment.made.digest}\ndata: {body}\n\n".encode()
        return known

    async def _poll(self) -> None:
        while True:
            began = monotonic()
            try:
                await self._ask()
            except Exception as error:  # noqa: BLE001 - viewers see that, and the next round tries again
                self._complain(error)
            done, self._round = self._round, asyncio.Event()
            done.set()
            await asyncio.sleep(max(_EVERY, _SHARE * (monotonic() - began)))

    async def _ask(self) -> None:
        channels = list(self._channels.values())
        try:
            status = await self.maker.snapshot.fresh()
        except (DaemonError, LeaseError) as error:
            for channel in channels:
                _lose(channel, error)
            return
        self._judge(status.problems)
        for channel in channels:
            try:
                await self._make(channel, status)
            except (DaemonError, LeaseError) as error:
                _lose(channel, error)

    async def _make(self, channel: Channel, status: StatusFound) -> None:
        made = await self.maker.page(channel.view, status)
        self.remember(made)
        now = status.overview.database_time
        fields = {
            "at": now.astimezone(UTC).isoformat(),
            "problems": len(status.problems),
            "verdict": self._verdict,
            "assets": [asset("style.css"), asset("script.js")],
        }
        channel.messages.clear()
        channel.latest, channel.lost_since = Moment(made, fields), None

    def _judge(self, problems: Sequence[Problem]) -> None:
        """Say in a sentence what is wrong, which changes only when that does: it is read aloud."""
        found = {(one.kind, one.application, one.schedule, one.run_id): one.text for one in problems}
        if self._problems != found.keys() or not self._verdict:
            new = next((text for key, text in found.items() if key not in self._problems), None)
            self._verdict = counted(len(found), "problem") if found else "No problems"
            self._verdict += f": {new}" if new else ""
            self._problems = frozenset(found)

    def _complain(self, error: Exception) -> None:
        for channel in self._channels.values():
            _lose(channel, None)
        about = {"message": "a page could not be made for those who look at it", "exception": error}
        asyncio.get_running_loop().call_exception_handler(about)


class EventStream(StreamingResponse):
    """The answer to one who looks at a page."""

    def __init__(self, hub: Hub, view: PageView, has: str, session_end: float | None) -> None:
        super().__init__((), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._hub = hub
        self._view = view
        self._has = has
        self._lasts = _LASTS if session_end is None else min(_LASTS, session_end - time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.get(AT_END, set()).add(self._hub.close)
        end = asyncio.get_running_loop().time() + self._lasts
        with self._hub.viewing(self._view) as channel, suppress(TimeoutError):
            self.body_iterator = self._hub.messages(channel, self._has, end)
            async with asyncio.timeout_at(end + _PATIENCE):
                await super().__call__(scope, receive, send)


def _lose(channel: Channel, error: DaemonError | LeaseError | None) -> None:
    channel.lost_since = channel.lost_since or datetime.now(UTC)
    said = "an unexpected error; the log has it" if error is None else sentence_of(error)
    channel.latest = Moment(None, {"since": channel.lost_since.isoformat(), "said": said})


def _changed(made: Rendered, has: Mapping[str, int]) -> dict[str, str | None]:
    """Return the parts that one does not have like this, and None for those that are no more."""
    changed: dict[str, str | None] = {id_: html for id_, html in made.parts.items() if has.get(id_) != made.prints[id_]}
    return changed | dict.fromkeys(has.keys() - made.parts.keys())
