"""The web server, which serves `/livez` and `/readyz` on its own thread: a stalled loop shows."""

import asyncio
import errno
import hmac
import math
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import DaemonError
from ..jobs.room.shortage import shortage
from .address import WebAddress
from .health import Blocked, Counts, Loops, Problems, Standing

_START_LIMIT = 10.0
_STOP_LIMIT = 5.0
_BACKLOG = 128
_WARN_EVERY = 60.0
_PROBES = ("/livez", "/readyz")
_DETAILS = "leased.details"
"""In the scope of a request: whether its answer may tell more than a yes or no."""


class WebNotStarted(DaemonError):
    """The web server cannot answer at its address."""


def web_app(
    loops: Loops,
    problems: Problems,
    token: str | None = None,
    counts: Counts = dict,
    *,
    standing: Standing = lambda: None,
    blocked: Blocked = lambda: None,
) -> ASGIApp:
    """Return the application; with ``token``, requests must carry ``Authorization: Bearer …``.

    Probes, which often can send none, hear without it whether all is well, and nothing else.
    """

    def livez(request: Request) -> Response:
        beats = loops()
        shown = {
            name: {"alive": beat.alive, "seconds": round(beat.age, 3), "limit": beat.limit}
            for name, beat in beats.items()
        }
        alive = all(beat.alive for beat in beats.values())
        details = {"loops": shown, "counts": dict(counts())} if _sees_details(request) else {}
        return JSONResponse({"alive": alive, **details}, 200 if alive else 503)

    def readyz(request: Request) -> Response:
        found = dict(problems())
        details: dict[str, object] = {"problems": found} if _sees_details(request) else {}
        if _sees_details(request) and (said := standing()) is not None:
            details["generation"] = said
        if _sees_details(request) and (said := blocked()) is not None:
            details["blocked"] = said
        return JSONResponse({"ready": not found, **details}, 503 if found else 200)

    app = Starlette(
        routes=[Route("/livez", _never_waiting(livez)), Route("/readyz", _never_waiting(readyz))],
        exception_handlers={HTTPException: _refused},
    )
    return app if token is None else _Guard(app, token)


def _never_waiting(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers in the server's loop: its thread pool may be busy."""

    async def endpoint(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - a probe always gets an answer
            return JSONResponse({"error": f"the check itself failed: {type(error).__name__}"}, 503)

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    missing = f"{request.url.path} does not exist; try /livez or /readyz"
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": missing if status == 404 else "the request was refused"}, status, headers)


def _sees_details(request: Request) -> bool:
    """Return whether this request carries the token; where there is none, only this machine asks."""
    return bool(request.scope.get(_DETAILS, True))


class _Guard:
    """Lets only requests with the token through, and probes that carry no token at all."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization")
            scope[_DETAILS] = given is not None and hmac.compare_digest(given, self._expected)
            if not scope[_DETAILS] and (given is not None or scope["path"] not in _PROBES):
                problem = {"error": "send the header Authorization: Bearer <LEASED_WEB_TOKEN>"}
                await JSONResponse(problem, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
                return
        await self._app(scope, receive, send)


class WebServer:
    """An application at an address: `start` returns once it answers, `stop` once it has ended."""

    def __init__(self, app: ASGIApp, address: WebAddress, warn: Callable[[str], object] = str) -> None:
        self._asked = address
        self._socket: socket.socket | None = None
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
            backlog=_BACKLOG,
        )
        self._server = _Server(config, warn)
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
    def __init__(self, config: uvicorn.Config, warn: Callable[[str], object]) -> None:
        super().__init__(config)
        self.up = threading.Event()
        self._warn = warn
        self._warned_at = -math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._complain)
        await super().startup(sockets)
        self.up.set()

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
