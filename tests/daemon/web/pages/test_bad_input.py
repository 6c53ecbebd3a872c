"""Bad input in each parameter of each page: one sentence, and never an error of the server's own."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from daemon.web.pages.routes import PAGES
from tests.daemon.web.pages.frames import served_pages
from tests.support.asgi import asked

from .addresses import ALL, BY_NAME, NAMES, addresses

pytestmark = pytest.mark.anyio
BAD: list[Any] = ["-1", "0", "1e400", "9" * 400, "\x00", "\ud800".encode("utf-8", "surrogatepass"), b"\xff\xfe", "x" * 60_000, "'; --", "%s{0}"]  # fmt: skip
"""What no parameter means, or what may break what reads it."""
WRONG = {
    "before": "soon",
    "until": "9999-12-31T23:59:59Z",
    "state": "broken",
    "window": "2h",
    "attempt": "x",
}
"""What a parameter of this name certainly refuses."""


@pytest.fixture
def app(shop: str) -> Iterator[Any]:
    with served_pages(shop) as app:
        yield app


def parameters(name: str) -> list[str]:
    """Return the query parameters of a page: those that its path has not."""
    page = BY_NAME[name]
    return sorted(page.asks.model_fields.keys() - set(re.findall(r"\{(\w+)\}", page.path)))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
async def test_bad_input_is_answered_with_one_sentence(app: Any, shop: str, name: str) -> None:
    (address, *_) = addresses(shop, BY_NAME[name])
    for parameter in parameters(name):
        for value in BAD:
            answer = await asked(app, "GET", f"/{address}?{parameter}={quote(value)}")
            assert (parameter, value, answer.status < 500) == (parameter, value, True)
            assert b"Traceback" not in answer.body
        if parameter in WRONG and BY_NAME[name] in PAGES:  # a dialog says it itself, and keeps what was typed
            refused = await asked(app, "GET", f"/{address}?{parameter}={quote(WRONG[parameter])}")
            sentence = re.findall(r'<p class="why">([^<]*)', refused.body.decode())
            assert (parameter, refused.status) == (parameter, 422)
            assert sentence[0].startswith(f"{parameter}: ")


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_no_parameter_or_is_given_twice_is_said(app: Any, shop: str, name: str) -> None:
    (address, *_) = addresses(shop, BY_NAME[name])
    unknown = await asked(app, "GET", f"/{address}?colour=red")
    assert (unknown.status, b"there is no parameter &#34;colour&#34;" in unknown.body) == (422, True)
    for parameter in parameters(name)[:1]:
        twice = await asked(app, "GET", f"/{address}?{parameter}=1&{parameter}=1")
        assert (twice.status, f"{parameter} is given twice".encode() in twice.body) == (422, True)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/?after=x", 422, "after: this is no key of a page; start at the first one"),
        ("/?after=-1/a/b", 422, "after: this is no key of a page"),
        ("/?after=99999999999999999999/a/b", 422, "after: this is no key of a page"),
        ("/fleet?application=bank", 404, 'there is no application "bank"'),
        ("/fleet?lock=a%00b", 422, "lock: it has a character that no database takes"),
        (f"/fleet?after={'x' * 600}", 422, "after: string should have at most 500 characters"),
        ("/activity?schedule=sync-erq", 404, 'there is no schedule "sync-erq"; did you mean "sync-erp"?'),
        ("/runs?schedule=sync-erq", 404, 'there is no schedule "sync-erq"; did you mean "sync-erp"?'),
        ("/runs?application=bank", 404, 'there is no application "bank"'),
        ("/schedules/shop/sync-erq", 404, 'there is no schedule "sync-erq" of "shop"; did you mean "sync-erp"?'),
        ("/schedules/shop/sync-erp?definition=half", 422, "definition: input should be 'whole' or 'changes'"),
        ("/schedules/shup/sync-erp", 404, 'there is no application "shup"; did you mean "shop"?'),
        ("/runs/987654321", 404, "run 987654321 does not exist; the newest is"),
    ],
)
async def test_what_does_not_fit_is_answered_with_a_sentence(app: Any, path: str, status: int, sentence: str) -> None:
    answer = await asked(app, "GET", path)
    assert (answer.status, sentence in unescape(answer.body.decode())) == (status, True)


async def test_what_is_not_there_is_said(app: Any) -> None:
    for page in ALL:
        path = page.path.replace("{run_id}", "987654321").replace("{application}", "nobody").replace("{name}", "nobody")
        if path != page.path:
            answer = await asked(app, "GET", path)
            assert (path, answer.status) == (path, 404)
    for path in ("/runs/x", f"/runs/{'9' * 30}", "/runs/-1"):
        assert (await asked(app, "GET", path)).status == 422
