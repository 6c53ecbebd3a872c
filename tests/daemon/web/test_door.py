"""The door: each way of asking, of each route, in one walk."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.web.address import WebAddress
from daemon.web.app import web_app
from daemon.web.door import PROBES, Door
from tests.support.asgi import Answer, asked

pytestmark = pytest.mark.anyio

ACTS, READS = "the-token-that-can-act", "the-token-that-only-reads"
LOOPBACK = Door(WebAddress("127.0.0.1", 8520))
GUARDED = Door(WebAddress("127.0.0.1", 8520), ACTS, READS, frozenset({"leased.example"}))
ELSEWHERE = Door(WebAddress("web-1", 8520), ACTS, READS, frozenset({"leased.example"}))
WITH_ONE = Door(WebAddress("0.0.0.0", 8520), ACTS)  # noqa: S104 - nothing is bound
JSON = {"content-type": "application/json"}


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


REFUSED_TO_ALL: list[tuple[str, Door, dict[str, str], int, str]] = [
    ("a name that was rebound", LOOPBACK, {"host": "evil.example"}, 421, "LEASED_WEB_HOSTS"),
    ("a name that begins as ours", LOOPBACK, {"host": "localhost.evil.example:8520"}, 421, "LEASED_WEB_HOSTS"),
    ("no host", LOOPBACK, {"host": ""}, 421, "LEASED_WEB_HOSTS"),
    ("a user before the host", LOOPBACK, {"host": "a@127.0.0.1"}, 421, "LEASED_WEB_HOSTS"),
    ("another name, with the token", ELSEWHERE, {"host": "evil.example", **bearing(ACTS)}, 421, "LEASED_WEB_HOSTS"),
    ("a proxy, and no token is set", LOOPBACK, {"x-forwarded-for": "10.0.0.9"}, 403, "set LEASED_WEB_TOKEN"),
    ("a proxy of the standard", LOOPBACK, {"forwarded": "for=10.0.0.9"}, 403, "set LEASED_WEB_TOKEN"),
    ("a proxy that names the host alone", LOOPBACK, {"x-forwarded-host": "x"}, 403, "set LEASED_WEB_TOKEN"),
    ("no token", ELSEWHERE, {}, 401, "Authorization: Bearer"),
    ("no token on loopback, where one is set", GUARDED, {}, 401, "Authorization: Bearer"),
    ("the token of somebody else", ELSEWHERE, bearing("x" * 22), 401, "Authorization: Bearer"),
    ("a token that begins right", ELSEWHERE, bearing(ACTS[:-1]), 401, "Authorization: Bearer"),
    ("a token that goes on", ELSEWHERE, bearing(f"{ACTS}x"), 401, "Authorization: Bearer"),
    ("an empty token, where no token reads", WITH_ONE, bearing(""), 401, "Authorization: Bearer"),
    ("the word None, where no token reads", WITH_ONE, bearing("None"), 401, "Authorization: Bearer"),
    ("the token as a password", ELSEWHERE, {"authorization": f"Basic {ACTS}"}, 401, "Authorization: Bearer"),
    ("the token alone", ELSEWHERE, {"authorization": ACTS}, 401, "Authorization: Bearer"),
    ("a token that is no text", ELSEWHERE, {"authorization": "Bearer \xff"}, 401, "Authorization: Bearer"),
]
"""Ways of asking that no route answers, whatever the method."""
PASSES: list[tuple[str, Door, dict[str, str]]] = [
    ("this machine", LOOPBACK, {}),
    ("this machine by name", LOOPBACK, {"host": "LOCALHOST.:8520"}),
    ("a name of this machine", LOOPBACK, {"host": "shop.localhost"}),
    ("an IPv6 address", LOOPBACK, {"host": "[::1]:8520"}),
    ("the token", ELSEWHERE, bearing(ACTS)),
    ("the token, the scheme in small letters", ELSEWHERE, {"authorization": f"bearer {ACTS}"}),
    ("the name that it is bound to", ELSEWHERE, {"host": "web-1:8520", **bearing(ACTS)}),
    ("an allowed name, through a proxy", GUARDED, {"host": "leased.example", "forwarded": "x", **bearing(ACTS)}),
]
FOREIGN: list[tuple[str, dict[str, str], int]] = [
    ("a form", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("a form of text", {"content-type": "text/plain"}, 415),
    ("no content", {"content-type": ""}, 415),
    ("two types", {"content-type": "text/plain, application/json"}, 415),
    ("a page of another site", {"origin": "https://evil.example", **JSON}, 403),
    ("a page of another port", {"origin": "http://127.0.0.1:9000", **JSON}, 403),
    ("a page without an origin", {"origin": "null", **JSON}, 403),
    ("a request across sites", {"sec-fetch-site": "cross-site", **JSON}, 403),
    ("a neighbour in the domain", {"sec-fetch-site": "same-site", **JSON}, 403),
]
"""Acts that are refused even to who may act."""


def served(door: Door) -> Any:
    async def answer(request: Request) -> Response:
        return JSONResponse({"method": request.method})

    more = [Route("/api/v1/runs", answer), Route("/api/v1/trigger", answer, methods=["POST"])]
    return web_app(door, dict, lambda: {"database": "it was lost"}, routes=more)


async def ask(door: Door, method: str, path: str, headers: Mapping[str, str]) -> Answer:
    return await asked(served(door), method, path, headers)


def routes() -> list[tuple[str, str]]:
    app = served(LOOPBACK)._app
    found = [(method, route.path) for route in app.routes for method in sorted(route.methods)]
    return [*found, ("GET", "/nothing"), ("POST", "/nothing"), ("OPTIONS", "/api/v1/runs"), ("DELETE", "/api/v1/runs")]


def is_safe(answer: Answer) -> bool:
    return (
        answer.headers["x-content-type-options"] == "nosniff"
        and answer.headers["cache-control"] == "no-store"
        and answer.headers["referrer-policy"] == "same-origin"
        and answer.headers["cross-origin-opener-policy"] == "same-origin"
        and answer.headers["content-security-policy"].startswith("default-src 'none'")
        and answer.headers["content-type"] == "application/json"
        and not any(name.startswith("access-control-") for name in answer.headers)
    )


async def test_what_may_not_pass_gets_a_sentence_from_every_route() -> None:
    for (way, door, headers, status, said), (method, path) in product(REFUSED_TO_ALL, routes()):
        answer = await ask(door, method, path, {**JSON, **headers})
        if path in PROBES and method in {"GET", "HEAD"} and "authorization" not in headers:
            assert answer.status == (503 if path == "/readyz" else 200), (way, method, path)
            assert b"lost" not in answer.body
        else:
            assert answer.status == status, (way, method, path)
            assert method == "HEAD" or said in answer.json()["error"], (way, method, path)
        assert is_safe(answer), (way, method, path)


async def test_the_token_that_reads_gets_and_does_nothing_else() -> None:
    for method, path in routes():
        answer = await ask(ELSEWHERE, method, path, {**JSON, **bearing(READS)})
        if method in {"GET", "HEAD"}:
            assert answer.status not in {401, 403}, (method, path)
            assert path != "/readyz" or method == "HEAD" or answer.json()["problems"] == {"database": "it was lost"}
        else:
            assert (answer.status, b"only reads" in answer.body) == (403, True), (method, path)


@pytest.mark.parametrize(("way", "door", "headers"), PASSES, ids=[way for way, *_ in PASSES])
async def test_who_may_ask_is_answered(way: str, door: Door, headers: dict[str, str]) -> None:
    assert (await ask(door, "GET", "/api/v1/runs", headers)).json() == {"method": "GET"}
    own = {"origin": f"https://{headers.get('host', '127.0.0.1:8520')}", "sec-fetch-site": "same-origin"}
    for more in ({}, own, {"content-type": "application/json; charset=utf-8"}):
        answer = await ask(door, "POST", "/api/v1/trigger", {**JSON, **headers, **more})
        assert answer.json() == {"method": "POST"}
        assert is_safe(answer)


async def test_an_act_that_a_foreign_page_or_a_form_may_have_sent_is_refused_to_all() -> None:
    for (way, more, status), (who, door, headers) in product(FOREIGN, PASSES):
        answer = await ask(door, "POST", "/api/v1/trigger", {**more, **headers})
        assert answer.status == status, (way, who)


async def test_a_probe_may_come_from_anywhere_and_hears_details_only_where_they_are_due() -> None:
    for door, headers in ((ELSEWHERE, {}), (LOOPBACK, {"host": "web-1.internal"}), (LOOPBACK, {"forwarded": "x"})):
        assert (await ask(door, "GET", "/readyz", headers)).json() == {"ready": False, "status": "database"}
        assert (await ask(door, "GET", "/livez", headers)).json() == {"alive": True, "status": "ok"}
    for door, headers in ((ELSEWHERE, bearing(ACTS)), (LOOPBACK, {})):
        assert (await ask(door, "GET", "/readyz", headers)).json()["problems"] == {"database": "it was lost"}
        assert (await ask(door, "GET", "/livez", headers)).json()["loops"] == {}


def test_tokens_show_in_no_representation() -> None:
    assert ACTS not in repr(ELSEWHERE)
    assert READS not in repr(ELSEWHERE)
