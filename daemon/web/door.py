"""The door of the web server: who may ask what. Each request passes it before any route sees it.

It decides by the address that the server is bound to and by the token, never by the peer's address: behind a proxy
every peer is this machine.
"""

import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from time import time
from typing import Literal
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .address import WebAddress
from .sessions import COOKIE, end_of, find_session, form_token, same

PROBES = ("/livez", "/readyz")
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
FORM = "application/x-www-form-urlencoded"
_READS = ("GET", "HEAD")
_LONGEST_NAME = 200
_ADMITTED = "leased.admitted"
"""In the scope of a request: who sent it, or why it may not pass."""
_DOOR = "leased.door"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send our own forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HOST = re.compile(r"(?:\[(?P<ip>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@/\s]+))(?::\d{1,5})?")
_NO_TOKEN = secrets.token_hex()
"""The key of the forms of a server without a token, which only this machine reaches."""

Page = Callable[[Request, int, str], Awaitable[Response]]
"""Returns the page that says why a request is not carried out."""
Kind = Literal["probe", "data", "open", "page"]
"""What a path leads to: ``data`` is the API and the metrics, ``open`` what a browser needs to sign in."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a request may not pass."""

    status: HTTPStatus
    sentence: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who sent a request that may pass."""

    may_act: bool = True
    form_token: str = field(default="", repr=False)
    """What the forms of the pages carry that this caller gets; empty if the caller may send none."""
    session_end: int | None = None
    """When its session expires, in seconds since 1970; None if it has not signed in."""
    who: str | None = None
    """The name of the user, if a trusted proxy gave one."""


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
    path: str = ""
    """Under which the site is for those who ask, whether or not a proxy takes it away."""
    user_header: str | None = None
    """In which a proxy names the user …"""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """… if it has one of these addresses."""

    def meets(self, method: str, path: str, headers: Headers, peer: str | None = None) -> Admitted | Denied:
        """Return who sent a request, or why it may not pass; ``peer`` is the address that it comes from."""
        if not self._is_ours(_only(headers, "host")):
            host = _only(headers, "host").rpartition(":")[0] or _only(headers, "host")
            return Denied(
                HTTPStatus.MISDIRECTED_REQUEST,
                f'the host "{host[:100]}" is not one of this server; add its name to LEASED_WEB_HOSTS if it is',
            )
        who = headers.getlist(self.user_header) if self.user_header is not None and self._is_proxy(peer) else []
        if len(who) > 1:
            said = f"the header {self.user_header} is there twice; let the proxy replace it, not add another one"
            return Denied(HTTPStatus.BAD_REQUEST, said)
        kind = _kind_of(path)
        known = self._known(kind, headers, _name("".join(who)))
        if isinstance(known, Denied):
            if kind != "open":
                return known
            known = Admitted(may_act=False)
        if method in _READS:
            return known
        if not known.may_act and kind != "open":
            return Denied(HTTPStatus.FORBIDDEN, f"this token only reads: {method} needs the token of LEASED_WEB_TOKEN")
        return _foreign(headers, FORM if kind in {"open", "page"} else "application/json") or known

    def level_of(self, token: str) -> str | None:
        """Return the token of this server that was given: the one that acts, the one that reads, or none."""
        acts, reads = same(token, self.token), same(token, self.read_token)
        return self.token if acts else self.read_token if reads else None

    def _is_proxy(self, peer: str | None) -> bool:
        try:
            address = ipaddress.ip_address(peer or "")
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self.proxies)

    def _known(self, kind: Kind, headers: Headers, who: str | None) -> Admitted | Denied:
        if self.token is None:
            forwarded = next((name for name in headers if _is_forwarded(name)), None)
            if forwarded is None:
                return Admitted(form_token=form_token(_NO_TOKEN, who or ""), who=who)
            return Denied(
                HTTPStatus.FORBIDDEN,
                f"a proxy forwarded this request (it has the header {forwarded}), and no token protects this server; "
                "set LEASED_WEB_TOKEN",
            )
        if kind in {"open", "page"}:
            for token in (self.token, self.read_token):
                if (session := find_session(_sessions(headers), token, time())) is not None:
                    bound = form_token(self.token, f"{session} {who or ''}")
                    return Admitted(token == self.token, bound, session_end=end_of(session), who=who)
        scheme, _, given = _only(headers, "authorization").partition(" ")
        level = self.level_of(given)
        if scheme.lower() != "bearer" or level is None:
            sign_in = "you are not signed in: sign in in another tab, or " if kind == "page" else ""
            return Denied(HTTPStatus.UNAUTHORIZED, f"{sign_in}send the header Authorization: Bearer <LEASED_WEB_TOKEN>")
        return Admitted(level == self.token, form_token(level, who or ""), who=who)

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


def _kind_of(path: str) -> Kind:
    if path in PROBES:
        return "probe"
    if path == "/metrics" or path.startswith("/api/"):
        return "data"
    return "open" if path in {SIGN_IN, SIGN_OUT} or path.startswith(("/assets/", "/icon/")) else "page"


def _only(headers: Headers, name: str) -> str:
    """Return the value of a header; several of one name are one that matches nothing."""
    return ", ".join(headers.getlist(name))


def _name(text: str) -> str | None:
    """Return the name of a user as it can be recorded; None for none."""
    name = text.encode("latin-1", "replace").decode(errors="replace")
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_LONGEST_NAME] or None


def _is_forwarded(name: str) -> bool:
    return name in {"forwarded", "x-real-ip"} or name.startswith("x-forwarded-")


def _foreign(headers: Headers, content_type: str) -> Denied | None:
    """Return why an act is refused that a page of another site may have sent, or that has not this type."""
    origin, site = _only(headers, "origin"), _only(headers, "sec-fetch-site")
    if site not in {"", "same-origin", "none"} or (
        origin and origin.lower().partition("://")[2] != _only(headers, "host").lower()
    ):
        return Denied(HTTPStatus.FORBIDDEN, "another site's page sent this request; only this server's pages may act")
    if _only(headers, "content-type").partition(";")[0].strip().lower() != content_type:
        return Denied(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the header Content-Type: {content_type}")
    return None


def sees_details(request: Request) -> bool:
    """Return whether this request may hear more than a probe needs."""
    return isinstance(request.scope[_ADMITTED], Admitted)


def admitted_of(request: HTTPConnection) -> Admitted:
    """Return who sent a request that has passed."""
    found: Admitted = request.scope[_ADMITTED]
    return found


def door_of(request: HTTPConnection) -> Door:
    """Return the door that a request has passed."""
    found: Door = request.scope[_DOOR]
    return found


def wants_page(request: HTTPConnection) -> bool:
    """Return whether a browser will show the answer to its user."""
    below = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return _kind_of(below) in {"open", "page"} and "text/html" in _only(request.headers, "accept")


def refused(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is not carried out."""
    return JSONResponse({"error": sentence}, status, headers)


class Guard:
    """Lets only those requests through that may pass the door, and probes that carry no token; adds the headers that
    keep a browser from doing anything else with an answer.
    """

    def __init__(self, app: ASGIApp, door: Door, page: Page | None = None) -> None:
        self._app = app
        self._page = page
        self.door = door
        """It may be replaced at any time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        scope[_DOOR] = door = self.door
        headers, method, path = Headers(scope=scope), scope["method"], _path_of(scope, door.path)
        peer = scope.get("client")
        scope[_ADMITTED] = met = door.meets(method, path, headers, None if peer is None else peer[0])
        is_probe = _kind_of(path) == "probe" and method in _READS and "authorization" not in headers
        if isinstance(met, Admitted) or is_probe:
            await self._app(scope, receive, send_safely)
        else:
            answer = await self._turn_away(met, path, Request(scope))
            await answer(scope, receive, send_safely)

    async def _turn_away(self, denied: Denied, path: str, request: Request) -> Response:
        """Return the answer to a request that may not pass: a browser gets a page, or is asked to sign in."""
        shows, scope = self._page is not None and wants_page(request), request.scope
        if denied.status != HTTPStatus.UNAUTHORIZED:
            if self._page is not None and shows:
                return await self._page(request, denied.status, denied.sentence)
            return refused(denied.status, denied.sentence)
        if shows and _kind_of(path) == "page":
            query = scope["query_string"].decode("latin-1")
            wanted = quote(scope["path"]) + (f"?{query}" if query and scope["method"] in _READS else "")
            to = f"{scope.get('root_path', '')}{SIGN_IN}?next={quote(wanted, safe='')}"
            return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": to})
        return refused(denied.status, denied.sentence, {"WWW-Authenticate": "Bearer"})


def _path_of(scope: Scope, root: str) -> str:
    """Return the path of a request below ``root``, and let the scope have all of it, whether a proxy took it away or not."""
    path: str = scope["path"]
    is_whole = path == root or path.startswith(f"{root}/")
    below = path[len(root) :] or "/" if is_whole else path
    scope.update(path=root + below, root_path=root)
    return below


def _sessions(headers: Headers) -> list[str]:
    """Return the sessions that a browser sends; others on this host can add some of that name."""
    pairs = (pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
    return [value for name, _, value in pairs if name == COOKIE]
