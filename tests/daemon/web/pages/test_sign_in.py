"""Signing in with a browser: a session is made of the token alone, and a form is believed only from our own page."""

import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_network
from time import monotonic, time
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.answers.questions import DoctorAnswer
from daemon.web import sessions
from daemon.web.address import WebAddress
from daemon.web.api.desk import Desk
from daemon.web.api.routes import api_routes
from daemon.web.app import web_app
from daemon.web.door import Door, admitted_of
from daemon.web.pages.forms import is_own, read_form
from daemon.web.pages.sign_in import sign_in_routes
from tests.support.asgi import Answer, asked
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.anyio

ACTS, READS, HOST = "the-token-that-can-act", "the-token-that-only-reads", "leased.example"
GUARDED = Door(WebAddress("10.0.0.7", 8520), ACTS, READS, frozenset({HOST}))
BROWSER = {"host": HOST, "accept": "text/html,*/*;q=0.8"}
FORM = {**BROWSER, "content-type": "application/x-www-form-urlencoded", "origin": f"https://{HOST}"}


def served(door: Door = GUARDED) -> Any:
    async def look(request: Request) -> Response:
        caller = admitted_of(request)
        return JSONResponse({"may_act": caller.may_act, "form_token": caller.form_token, "who": caller.who})

    async def act(request: Request) -> Response:
        return JSONResponse({"own": is_own(request, await read_form(request))})

    more = [Route("/runs", look), Route("/api/v1/status", look), Route("/metrics", look)]
    acts = [Route(path, act, methods=["POST"]) for path in ("/act", "/api/v1/trigger")]
    return web_app(door, dict, dict, routes=[*more, *acts, *sign_in_routes()])


async def ask(method: str, path: str, headers: Mapping[str, str], *, door: Door = GUARDED, **fields: str) -> Answer:
    return await asked(served(door), method, path, headers, urlencode(fields).encode())


async def signed_in(token: str = ACTS, door: Door = GUARDED, after: str = "/runs") -> tuple[str, Answer]:
    """Return the cookie that a browser gets for a token, and the whole answer."""
    answer = await ask("POST", "/sign-in", FORM, door=door, token=token, next=after)
    assert answer.status == 303, answer.body
    return answer.headers["set-cookie"].partition(";")[0], answer


async def test_a_browser_without_a_session_is_asked_to_sign_in_and_programs_get_the_same_error_as_before() -> None:
    answer = await ask("GET", "/runs?state=late&tag=a%20b", BROWSER)
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=%2Fruns%3Fstate%3Dlate%26tag%3Da%2520b")
    form = await ask("GET", answer.headers["location"], BROWSER)
    assert b'name="next" value="/runs?state=late&amp;tag=a%20b"' in form.body
    for path, headers in (("/api/v1/status", BROWSER), ("/metrics", BROWSER), ("/runs", {"host": HOST})):
        answer = await ask("GET", path, headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "Authorization: Bearer" in answer.json()["error"]


async def test_a_token_gives_a_cookie_that_does_not_contain_it_and_leads_to_what_was_asked_for() -> None:
    for token, may_act in ((ACTS, True), (READS, False)):
        cookie, answer = await signed_in(token)
        assert answer.headers["location"] == "/runs"
        attributes = {one.strip().lower() for one in answer.headers["set-cookie"].split(";")[1:]}
        assert attributes >= {"httponly", "samesite=strict", "secure", "path=/", "max-age=604800"}
        assert token not in cookie
        seen = (await ask("GET", "/runs", {**BROWSER, "cookie": f"theirs=1; {cookie}"})).json()
        assert (seen["may_act"], bool(seen["form_token"])) == (may_act, True)
    _, answer = await signed_in()
    plain = await ask("POST", "/sign-in", {**FORM, "origin": f"http://{HOST}"}, token=ACTS)
    assert "secure" not in plain.headers["set-cookie"].lower()


async def test_each_replica_takes_the_session_and_the_form_of_another_and_none_with_another_token_does() -> None:
    cookie, _ = await signed_in()
    second = Door(WebAddress("10.0.0.8", 8521), ACTS, READS, frozenset({HOST}))
    page = (await ask("GET", "/runs", {**BROWSER, "cookie": cookie})).json()
    sent = await ask("POST", "/act", {**FORM, "cookie": cookie}, door=second, form_token=page["form_token"])
    assert sent.json() == {"own": True}
    changed = Door(WebAddress("10.0.0.8", 8521), f"{ACTS}2", READS, frozenset({HOST}))
    assert (await ask("GET", "/runs", {**BROWSER, "cookie": cookie}, door=changed)).status == 303


@pytest.fixture
def session_of_another_process(processes: None) -> str:
    made = f"from daemon.web.sessions import new_session; print(new_session({ACTS!r}, {time()}))"
    return subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True).stdout.strip()


async def test_a_session_that_another_process_made_is_taken(session_of_another_process: str) -> None:
    cookie = f"{sessions.COOKIE}={session_of_another_process}"
    assert (await ask("GET", "/runs", {**BROWSER, "cookie": cookie})).json()["may_act"]


async def test_a_session_that_was_changed_or_has_expired_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie, _ = await signed_in()
    name, _, value = cookie.partition("=")
    later, nonce, signature = value.split(".")
    forged = [
        f"{int(later) + 1}.{nonce}.{signature}",
        f"{later}.x{nonce}.{signature}",
        f"{later}.{nonce}.{signature[:-1]}",
        f"{later}.{nonce}.",
        signature,
        "",
        ACTS,
        "\xff.\xff.\xff",
    ]
    for one in forged:
        assert (await ask("GET", "/runs", {**BROWSER, "cookie": f"{name}={one}"})).status == 303, one
    # What others on this host add to it, in front of it or behind it, changes nothing.
    crowd = f"{name}={forged[0]}; {cookie}; {name}={forged[1]}"
    assert (await ask("GET", "/runs", {**BROWSER, "cookie": crowd})).json()["may_act"]
    end = time() + sessions.LASTS
    monkeypatch.setattr("daemon.web.door.time", lambda: end - 60)
    assert (await ask("GET", "/runs", {**BROWSER, "cookie": cookie})).status == 200
    monkeypatch.setattr("daemon.web.door.time", lambda: end + 1)
    assert (await ask("GET", "/runs", {**BROWSER, "cookie": cookie})).status == 303


async def test_a_session_is_for_pages_only() -> None:
    """The API takes the token as before: no page that a browser shows can use it by a cookie."""
    cookie, _ = await signed_in()
    for method, path in (("GET", "/api/v1/status"), ("GET", "/metrics"), ("POST", "/api/v1/trigger")):
        headers = {**FORM, "cookie": cookie, "content-type": "application/json"}
        assert (await ask(method, path, headers)).status == 401, path


async def test_a_form_is_believed_only_with_the_token_that_its_session_got() -> None:
    cookie, _ = await signed_in()
    other, _ = await signed_in()
    token, theirs = [
        (await ask("GET", "/runs", {**BROWSER, "cookie": one})).json()["form_token"] for one in (cookie, other)
    ]
    for given, own in ((token, True), (theirs, False), ("", False), (token[:-1], False), ("\N{SNOWMAN}", False)):
        sent = await ask("POST", "/act", {**FORM, "cookie": cookie}, form_token=given)
        assert sent.json() == {"own": own}, given
    assert (await ask("POST", "/act", {**FORM, "cookie": cookie})).json() == {"own": False}
    on_loopback = (await asked(served(Door()), "GET", "/runs")).json()["form_token"]
    local = {**FORM, "host": "127.0.0.1:8520", "origin": "http://127.0.0.1:8520"}
    assert (await ask("POST", "/act", local, door=Door(), form_token=on_loopback)).json() == {"own": True}
    assert (await ask("POST", "/act", local, door=Door(), form_token=token)).json() == {"own": False}


async def test_a_form_of_another_site_or_of_another_type_never_arrives_and_signs_nobody_in() -> None:
    cookie, _ = await signed_in()
    foreign: list[tuple[dict[str, str], int]] = [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": f"https://{HOST}:9000"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "application/json"}, 415),
        ({"host": "evil.example", "origin": "https://evil.example"}, 421),
    ]
    for more, status in foreign:
        for path in ("/act", "/sign-in", "/sign-out"):
            answer = await ask("POST", path, {**FORM, "cookie": cookie, **more}, token=ACTS)
            assert answer.status == status, (more, path)
            assert "set-cookie" not in answer.headers
    assert (await ask("GET", "/runs", {**BROWSER, "host": "evil.example", "cookie": cookie})).status == 421


async def test_who_only_reads_can_send_no_form_but_sign_out() -> None:
    cookie, _ = await signed_in(READS)
    token = (await ask("GET", "/runs", {**BROWSER, "cookie": cookie})).json()["form_token"]
    answer = await ask("POST", "/act", {**FORM, "cookie": cookie}, form_token=token)
    assert answer.status == 403
    assert b"this token only reads: POST needs the token of LEASED_WEB_TOKEN" in answer.body
    answer = await ask("POST", "/sign-out", {**FORM, "cookie": cookie}, form_token=token)
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert "set-cookie" not in (await ask("POST", "/sign-out", {**FORM, "cookie": cookie})).headers
    page = await ask("GET", "/sign-out", {**BROWSER, "cookie": cookie})
    assert f'name="form_token" value="{token}"'.encode() in page.body
    assert (await ask("GET", "/sign-out", BROWSER)).headers["location"] == "/"


@pytest.mark.parametrize(
    "after",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "evil",
        "",
        "/a\r\nSet-Cookie: a=b",
        "/ /evil",
        "/\u202e",
        "javascript:alert(1)",
        "/sign-in?next=/",
        "/sign-out",
        "/" * 3000,
    ],
)
async def test_signing_in_leads_nowhere_else(after: str) -> None:
    _, answer = await signed_in(after=after)
    assert answer.headers["location"] == "/"
    form = await ask("GET", f"/sign-in?{urlencode({'next': after})}", BROWSER)
    assert b'name="next" value="/"' in form.body


async def test_a_link_from_another_site_is_tried_again_from_here_before_a_browser_is_asked() -> None:
    """It carries no cookie that is SameSite=Strict, although the browser has one."""
    form = await ask("GET", "/sign-in?next=%2Fruns", {**BROWSER, "sec-fetch-site": "cross-site"})
    found = re.search(rb'http-equiv="refresh" content="0; url=([^"]*)"', form.body)
    assert found is not None
    again = found[1].decode().replace("&amp;", "&")
    cookie, _ = await signed_in()
    answer = await ask("GET", again, {**BROWSER, "cookie": cookie})
    assert (answer.status, answer.headers["location"]) == (303, "/runs")
    still = await ask("GET", again, {**BROWSER, "sec-fetch-site": "cross-site"})
    assert b"refresh" not in still.body


async def test_wrong_tokens_by_the_thousand_lock_nobody_out_and_stand_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    began = monotonic()
    for number in range(2_000):
        answer = await ask("POST", "/sign-in", FORM, token=f"wrong-{number}-{'x' * 40}")
        assert answer.status == 401
        assert b"wrong-" not in answer.body
        bearing = {"host": HOST, "authorization": f"Bearer wrong-{number}-{'x' * 40}"}
        assert (await ask("GET", "/api/v1/status", bearing)).status == 401
    assert monotonic() - began < 60
    assert "wrong-" not in caplog.text
    await signed_in()
    assert (await ask("GET", "/api/v1/status", {"host": HOST, "authorization": f"Bearer {ACTS}"})).status == 200


@pytest.mark.parametrize("takes_away", [True, False], ids=["the proxy takes the prefix away", "the proxy leaves it"])
async def test_under_a_prefix_all_is_as_without_one(*, takes_away: bool) -> None:
    door = replace(GUARDED, path="/leased")
    at = "" if takes_away else "/leased"
    answer = await ask("GET", f"{at}/runs?a=1", BROWSER, door=door)
    assert answer.headers["location"] == "/leased/sign-in?next=%2Fleased%2Fruns%3Fa%3D1"
    form = await ask("GET", f"{at}/sign-in?next=/leased/runs", BROWSER, door=door)
    assert b'action="/leased/sign-in"' in form.body
    assert b'value="/leased/runs"' in form.body
    for after in ("/runs", "/leased/../other", "/leased/%2E./other", "/leased/x/%2e%2e/..", "/leasedx"):
        answer = await ask("POST", f"{at}/sign-in", FORM, door=door, token=ACTS, next=after)
        assert answer.headers["location"] == "/leased/", after
    for after in ("/leased/runs?q=/../", "/leased/schedules/shop/a..b/...?c=..", "/leased/.x"):
        answer = await ask("POST", f"{at}/sign-in", FORM, door=door, token=ACTS, next=after)
        assert answer.headers["location"] == after
    assert "; path=/leased;" in answer.headers["set-cookie"].lower()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert (await ask("GET", f"{at}/runs", {**BROWSER, "cookie": cookie}, door=door)).json()["may_act"]
    assert (await ask("GET", f"{at}/livez", {}, door=door)).status == 200
    for path in ("/leasedx/runs", "/leased/leased/runs", "/leased//runs"):
        assert (await ask("GET", path, {**BROWSER, "cookie": cookie}, door=door)).status == 404, path
    assert (await ask("GET", f"{at}/api/v1/status", {"host": HOST, "cookie": cookie}, door=door)).status == 401


async def test_a_proxy_that_is_trusted_names_the_user_and_no_other_can() -> None:
    trusted = (ip_network("127.0.0.0/31"), ip_network("10.0.0.7/32"))
    door = replace(GUARDED, user_header="x-forwarded-user", proxies=trusted)
    cookie, _ = await signed_in(door=door)

    async def seen(name: str, door: Door = door, **more: str) -> Any:
        headers = {**BROWSER, "cookie": cookie, "x-forwarded-user": name, **more}
        return (await ask("GET", "/runs", headers, door=door)).json()

    assert (await seen("ann"))["who"] == "ann"
    assert (await seen("J\xc3\xb8rn \x00\x1b[31m"))["who"] == "J\N{LATIN SMALL LETTER O WITH STROKE}rn [31m"
    assert (await seen("x" * 5_000))["who"] == "x" * 200
    for name in ("", "  ", "\x1b"):
        assert (await seen(name))["who"] is None
    assert (await seen("ann", X_Forwarded_User="bob"))["who"] == "ann"
    for other in (replace(door, proxies=(ip_network("10.0.0.7"),)), replace(door, user_header=None), GUARDED):
        assert (await seen("ann", other))["who"] is None
    ann = (await seen("ann"))["form_token"]
    sent = {**FORM, "cookie": cookie, "x-forwarded-user": "bob"}
    assert (await ask("POST", "/act", sent, door=door, form_token=ann)).json() == {"own": False}


async def test_an_act_of_the_api_is_recorded_under_the_name_of_the_proxy_too(sqlite_url: str) -> None:
    door = Door(token=ACTS, user_header="x-user", proxies=(ip_network("127.0.0.1"),))
    desk = Desk(sqlite_url)
    with Store(sqlite_url) as store, closing(desk):
        store.sync(a_schedule("nightly"))
        app = web_app(door, dict, dict, routes=api_routes(desk, 60.0, lambda: DoctorAnswer(ok=True, items=[])))
        headers = {"authorization": f"Bearer {ACTS}", "content-type": "application/json", "x-user": "ann"}
        body = b'{"schedule": "nightly", "by": "somebody else"}'
        answer = await asked(app, "POST", "/api/v1/trigger", headers, body)
        assert store.run(answer.json()["run_id"]).requested_by == "ann"


async def test_a_name_that_is_there_twice_is_refused() -> None:
    """The one who asks sent one, and the proxy added its own."""
    door = replace(GUARDED, user_header="x-user", proxies=(ip_network("127.0.0.1"),))
    names = {"x-user": "admin", "X-User": "ann"}
    answer = await ask("GET", "/runs", {**BROWSER, **names}, door=door)
    assert (answer.status, b"is there twice" in answer.body) == (400, True)


async def test_what_is_no_form_is_one_sentence() -> None:
    for body in (b"token=\xff", b"token=%ff", b"&".join(b"a=1" for _ in range(99)), b"a=1&a=2", b"x" * 200_000):
        answer = await asked(served(), "POST", "/sign-in", FORM, body)
        assert (answer.status, answer.json()["error"].count("\n")) == (422, 0), body[:20]
