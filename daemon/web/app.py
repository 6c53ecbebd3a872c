"""`/livez` and `/readyz`, served from a thread of its own, so that a stall of the service's loop shows instead of hiding."""

import errno
import hmac
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import DaemonError
from .address import WebAddress
from .health import Counts, Loops, Problems

_START_LIMIT = 10.0
_STOP_LIMIT = 5.0


class WebNotStarted(DaemonError):
    """The address cannot be bound."""


def web_app(loops: Loops, problems: Problems, token: str | None = None, counts: Counts = dict) -> ASGIApp:
    """Return the application; with a ``token``, each request must carry it: ``Authorization: Bearer …``."""

    def livez(request: Request) -> Response:
        del request
        beats = loops()
        shown = {
            name: {"alive": beat.alive, "seconds": round(beat.age, 3), "limit": beat.limit}
            for name, beat in beats.items()
        }
        alive = all(beat.alive for beat in beats.values())
        return JSONResponse({"alive": alive, "loops": shown, "counts": dict(counts())}, 200 if alive else 503)

    def readyz(request: Request) -> Response:
        del request
        found = dict(problems())
        return JSONResponse({"ready": not found, "problems": found}, 503 if found else 200)

    app = Starlette(
        routes=[Route("/livez", _never_waiting(livez)), Route("/readyz", _never_waiting(readyz))],
        exception_handlers={HTTPException: _refused},
    )
    return app if token is None else _Guard(app, token)


def _never_waiting(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Answer in the server's loop itself, whatever the state of its thread pool; a failing check is an answer too."""

    async def endpoint(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - a probe gets a no, never silence
            return JSONResponse({"error": f"the check itself failed: {type(error).__name__}"}, 503)

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = f"there is nothing at {request.url.path}; there are /livez and /readyz"
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": said if status == 404 else "this cannot be answered"}, status, headers)


class _Guard:
    """Lets through what carries the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._carried(scope):
            said = {"error": "this needs the header Authorization: Bearer <LEASED_WEB_TOKEN>"}
            await JSONResponse(said, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _carried(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


class WebServer:
    """An application on an address: `start` returns once it answers, `stop` once it has let go."""

    def __init__(self, app: ASGIApp, address: WebAddress) -> None:
        self._asked = address
        self._socket: socket.socket | None = None
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    def start(self) -> WebAddress:
        """Return where it answers. Raises `WebNotStarted` when the address was asked for and cannot be had.

        When it is taken and nobody asked for it, any free port does.
        """
        self._socket = _bind(self._asked)
        bound = replace(self._asked, port=self._socket.getsockname()[1])
        self._thread.start()
        if not self._server.up.wait(_START_LIMIT):
            raise WebNotStarted(f"the web server on {bound} did not start within {_START_LIMIT:g}s")
        return bound

    def stop(self) -> None:
        """Take no more requests, and return once the thread has ended."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_LIMIT)
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        if self._socket is not None:
            self._server.run(sockets=[self._socket])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


def _bind(address: WebAddress) -> socket.socket:
    try:
        return _listen(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and not address.asked:
            return _listen(replace(address, port=0))
        if error.errno == errno.EADDRINUSE:
            raise WebNotStarted(f"{address} is taken by another process; give another --web HOST:PORT") from None
        raise WebNotStarted(f"{address} cannot be bound: {error.strerror}; give another --web HOST:PORT") from None


def _listen(address: WebAddress) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener
