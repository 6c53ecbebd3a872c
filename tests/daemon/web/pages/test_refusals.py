"""What is refused before a page is found: a browser gets a page that says why, a program JSON."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.version import package_version
from daemon.web.door import Door
from daemon.web.pages.site import asset
from tests.daemon.web.pages.frames import served_pages
from tests.support.asgi import asked

pytestmark = pytest.mark.anyio
BROWSER = {"accept": "text/html,*/*;q=0.8"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
REFUSED = {
    "no such page": ("GET", "/no/such/page", {}, 404, "/no/such/page does not exist"),
    "a slash too much": ("GET", "/runs/", {}, 404, "/runs/ does not exist"),
    "a method that it does not take": ("POST", "/runs", FORM, 405, "/runs does not take POST"),
    "another type": ("POST", "/runs/1/cancel", {}, 415, f"send the header Content-Type: {FORM['content-type']}"),
    "another site": ("POST", "/sign-in", FORM | {"origin": "https://evil.example"}, 403, "another site&#39;s page"),
    "a rebound name": ("GET", "/", {"host": "<i>.example"}, 421, "the host &#34;&lt;i&gt;.example&#34; is not one"),
    "a forwarded one": ("GET", "/", {"x-forwarded-for": "10.0.0.9"}, 403, "a proxy forwarded this request"),
}


@pytest.fixture
def app(shop: str) -> Iterator[Any]:
    with served_pages(shop, Door(path="/leased")) as app:
        yield app


@pytest.mark.parametrize("case", REFUSED)
async def test_a_browser_is_told_on_a_page_why_it_is_refused(app: Any, case: str) -> None:
    method, path, headers, status, sentence = REFUSED[case]
    page = await asked(app, method, f"/leased{path}", {**BROWSER, **headers})
    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    said = re.findall(r'<p class="why">([^<]*)', page.body.decode())[0]
    assert said.removeprefix("/leased").startswith(sentence)
    assert package_version() not in page.body.decode()
    program = await asked(app, method, f"/leased{path}", headers)
    assert page.headers.get("allow") == program.headers.get("allow")
    assert (program.status, list(program.json())) == (status, ["error"])


@pytest.mark.parametrize("path", ["/api/v1/none", "/metrics"])
async def test_what_is_for_programs_is_never_answered_with_a_page(app: Any, path: str) -> None:
    answer = await asked(app, "GET", path, {**BROWSER, "host": "evil.example"})
    assert (answer.status, list(answer.json())) == (421, ["error"])


@pytest.mark.parametrize("name", ["style.css", "script.js"])
async def test_the_page_of_another_release_gets_the_style_of_this_one_and_does_not_keep_it(app: Any, name: str) -> None:
    this = await asked(app, "GET", f"/{asset(name)}")
    other = await asked(app, "GET", f"/assets/0123456789abcdef/{name}")
    assert (this.status, other.status, other.body) == (200, 200, this.body)
    assert this.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert other.headers["cache-control"] == "no-store"
