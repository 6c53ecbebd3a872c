"""The web server, which serves `/livez` and `/readyz` on its own thread: a stalled loop shows."""

import asyncio
import errno
import math
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import DaemonError
from ..jobs.room import shortage
from ..text import shortened
from .address import WebAddress
from .door import PROBES, SIGN_IN, Door, Guard, Page, refused, sees_details, wants_page
from .health import Blocked, Counts, Loops, Problems, Standing
from .pages.answering import page_of_refusal

_START_LIMIT = 10.0
_STOP_LIMIT = 5.0
_BACKLOG = 128
_WARN_EVERY = 60.0
METRICS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""The type of what `/metrics` answers."""
AT_END = "leased.at_end"
"""In the scope of a request: a set of what the server calls, in its loop, before it waits for its answers to end."""


class WebNotStarted(DaemonError):
    """The web server cannot answer at its address."""


def web_app(
    door: Door,
    loops: Loops,
    problems: Problems,
    counts: Counts = dict,
    *,
    standing: Standing = lambda: None,
    blocked: Blocked = lambda: None,
    routes: Sequence[BaseRoute] = (),
) -> Guard:
    """Return the application behind its door: the probes, and what else ``routes`` serve.

    Anyone gets "ok" from a probe, or the names of what is not; who may see details gets the reasons too.
    """

    def livez(request: Request) -> Response:
        beats = loops()
        shown = {
            name: {"alive": beat.alive, "seconds": round(beat.age, 3), "limit": beat.limit}
            for name, beat in beats.items()
        }
        dead = [name for name, beat in beats.items() if not beat.alive]
        details = {"loops": shown, "counts": dict(counts())} if sees_details(request) else {}
        return _probed("alive", dead, details)

    def readyz(request: Request) -> Response:
        found = dict(problems())
        details: dict[str, object] = {}
        if sees_details(request):
            more = {"generation": standing(), "blocked": blocked()}
            details = {"problems": found} | {name: said for name, said in more.items() if said is not None}
        return _probed("ready", found, details)

    probes = zip(PROBES, (livez, readyz), strict=True)
    page = page_of_refusal if any(isinstance(one, Route) and one.path == SIGN_IN for one in routes) else None
    app = Starlette(
        routes=[*(Route(path, _never_waiting(probe)) for path, probe in probes), *routes],
        exception_handlers=dict.fromkeys((HTTPException, ClientDisconnect, Exception), partial(_refused, page)),
    )
    app.router.redirect_slashes = False  # it would lead to http:// where a proxy has https://
    return Guard(app, door, page)


def _probed(question: str, failing: Collection[str], details: Mapping[str, object]) -> Response:
    body = {question: not failing, "status": ", ".join(failing) or "ok", **details}
    return JSONResponse(body, 503 if failing else 200)


def _never_waiting(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers in the server's loop: its thread pool may be busy."""

    async def endpoint(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - a probe always gets an answer
            return refused(503, f"the check itself failed: {type(error).__name__}")

    return endpoint


async def _refused(page: Page | None, request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    asked = shortened(request.url.path)
    match status:
        case 404:
            said = f"{asked} does not exist"
        case 405:
            said = f"{asked} does not take {request.method}"
        case 500:
            said = "an unexpected error; the replica's log has it"
        case _:
            said = "the request was refused"
    if page is not None and wants_page(request):
        answer = await page(request, status, said)
        answer.headers.update(headers or {})
        return answer
    return refused(status, said + "; try /livez, /readyz, /metrics or /api/v1/status" * (status == 404), headers)


class WebServer:
    """An application at an address: `start` returns once it answers, `stop` once it has ended."""

    def __init__(self, app: ASGIApp, address: WebAddress, warn: Callable[[str], object] = str) -> None:
        self._asked = address
        self._socket: socket.socket | None = None
        at_end: set[Callable[[], object]] = set()

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            scope[AT_END] = at_end
            await app(scope, receive, send)

        config = uvicorn.Config(
            served,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
            proxy_headers=False,
            ws="none",
            backlog=_BACKLOG,
        )
        self._server = _Server(config, warn, at_end)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    def start(self) -> WebAddress:
        """Start the server and return its address; raises `WebNotStarted`.

        If the default port is in use, and the user gave none, any free port takes its place.
        """
        self._socket = _bind(self._asked)
        bound = replace(self._asked, port=self._socket.getsockname()[1])
        try:
            self._thread.start()
        except RuntimeError as error:
            raise WebNotStarted(str(shortage(error, "the web server cannot start") or error)) from None
        if not self._server.up.wait(_START_LIMIT):
            raise WebNotStarted(f"the web server on {bound} did not start within {_START_LIMIT:g}s")
        return bound

    def stop(self) -> None:
        """Take no more requests, and wait until the thread has ended."""
        self._server.should_exit = True
        if self._thread.ident is not None:  # it was started
            self._thread.join(_STOP_LIMIT)
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        if self._socket is not None:
            self._server.run(sockets=[self._socket])


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, warn: Callable[[str], object], at_end: set[Callable[[], object]]
    ) -> None:
        super().__init__(config)
        self._at_end = at_end
        self.up = threading.Event()
        self._warn = warn
        self._warned_at = -math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._complain)
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for end in self._at_end:
            end()
        await super().shutdown(sockets)

    def _complain(self, loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
        """Say once a minute, and in one sentence, that connections cannot be accepted; the loop tries again each second,
        and would say it for each that waits.
        """
        error = about.get("exception")
        refused = str(about.get("message")).startswith("socket.accept()")
        short = shortage(error, "the web server cannot accept requests for now") if refused and error else None
        if short is None:
            loop.default_exception_handler(about)
        elif monotonic() - self._warned_at >= _WARN_EVERY:
            self._warned_at = monotonic()
            self._warn(str(short))


def _bind(address: WebAddress) -> socket.socket:
    try:
        return _listen(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and not address.asked:
            return _listen(replace(address, port=0))
        if error.errno == errno.EADDRINUSE:
            raise WebNotStarted(f"{address} is already in use; choose another --web HOST:PORT") from None
        if (short := shortage(error, "the web server cannot start")) is not None:
            raise WebNotStarted(str(short)) from None
        raise WebNotStarted(f"{address} cannot be used: {error.strerror}; choose another --web HOST:PORT") from None


def _listen(address: WebAddress) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
