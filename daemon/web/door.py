"""The door of the web server: who may ask what. Each request passes it before any route sees it.

It decides by the address that the server is bound to and by the token, never by the peer's address: behind a proxy
every peer is this machine.
"""

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .address import WebAddress

PROBES = ("/livez", "/readyz")
_READS = ("GET", "HEAD")
_DETAILS = "leased.details"
"""In the scope of a request: whether its answer may tell more than a probe needs."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HOST = re.compile(r"(?:\[(?P<ip>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@/\s]+))(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a request may not pass."""

    status: HTTPStatus
    sentence: str


@dataclass(frozen=True, slots=True)
class Door:
    """What the server is bound to, and whom it lets in."""

    bound: WebAddress = field(default_factory=WebAddress)
    token: str | None = field(default=None, repr=False)
    """Needed by every request if it is set; reads and acts."""
    read_token: str | None = field(default=None, repr=False)
    """The same, but only for reads."""
    hosts: frozenset[str] = frozenset()
    """Names by which the server may be asked, besides the usual ones."""

    def refusal(self, method: str, headers: Headers) -> Denied | None:
        """Return why a request may not pass, if it may not."""
        if not self._is_ours(_only(headers, "host")):
            host = _only(headers, "host").rpartition(":")[0] or _only(headers, "host")
            return Denied(
                HTTPStatus.MISDIRECTED_REQUEST,
                f'the host "{host[:100]}" is not one of this server; add its name to LEASED_WEB_HOSTS if it is',
            )
        return self._token_refusal(method, headers) or (None if method in _READS else _foreign(headers))

    def _token_refusal(self, method: str, headers: Headers) -> Denied | None:
        if self.token is None:
            forwarded = next((name for name in headers if _is_forwarded(name)), None)
            if forwarded is None:
                return None
            return Denied(
                HTTPStatus.FORBIDDEN,
                f"a proxy forwarded this request (it has the header {forwarded}), and no token protects this server; "
                "set LEASED_WEB_TOKEN",
            )
        scheme, _, given = _only(headers, "authorization").partition(" ")
        acts, reads = _same(given, self.token), _same(given, self.read_token)
        if scheme.lower() != "bearer" or not (acts or reads):
            return Denied(HTTPStatus.UNAUTHORIZED, "send the header Authorization: Bearer <LEASED_WEB_TOKEN>")
        if not acts and method not in _READS:
            return Denied(HTTPStatus.FORBIDDEN, f"this token only reads: {method} needs the token of LEASED_WEB_TOKEN")
        return None

    def _is_ours(self, host: str) -> bool:
        """Return whether a browser that asks for this host was meant to reach this server (no DNS name of others)."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = (match["ip"] or match["name"]).lower().removesuffix(".")
        if name == "localhost" or name.endswith(".localhost") or name in self.hosts or name == self.bound.host.lower():
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _only(headers: Headers, name: str) -> str:
    """Return the value of a header; several of one name are one that matches nothing."""
    return ", ".join(headers.getlist(name))


def _same(given: str, token: str | None) -> bool:
    """Compare in a time that does not tell how much of a token is right."""
    return token is not None and hmac.compare_digest(given.encode(), token.encode())


def _is_forwarded(name: str) -> bool:
    return name in {"forwarded", "x-real-ip"} or name.startswith("x-forwarded-")


def _foreign(headers: Headers) -> Denied | None:
    """Return why an act is refused that a page of another site, or a form, may have sent."""
    origin, site = _only(headers, "origin"), _only(headers, "sec-fetch-site")
    if site not in {"", "same-origin", "none"} or (
        origin and origin.lower().partition("://")[2] != _only(headers, "host").lower()
    ):
        return Denied(HTTPStatus.FORBIDDEN, "another site's page sent this request; only this server's pages may act")
    if _only(headers, "content-type").partition(";")[0].strip().lower() != "application/json":
        return Denied(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the header Content-Type: application/json")
    return None


def sees_details(request: Request) -> bool:
    """Return whether this request may hear more than a probe needs."""
    return bool(request.scope[_DETAILS])


def refused(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is not carried out."""
    return JSONResponse({"error": sentence}, status, headers)


class Guard:
    """Lets only those requests through that may pass the door, and probes that carry no token; adds the headers that
    keep a browser from doing anything else with an answer.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self.door = door
        """It may be replaced at any time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self.door.refusal(scope["method"], headers)
        is_probe = scope["path"] in PROBES and scope["method"] in _READS and "authorization" not in headers
        scope[_DETAILS] = refusal is None
        if refusal is None or is_probe:
            await self._app(scope, receive, send_safely)
            return
        asks = {"WWW-Authenticate": "Bearer"} if refusal.status == HTTPStatus.UNAUTHORIZED else None
        await refused(refusal.status, refusal.sentence, asks)(scope, receive, send_safely)
