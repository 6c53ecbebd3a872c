"""Each link of each page leads somewhere: none to a page that refuses what the link says, or lacks the part named."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest

from daemon.web.door import Door
from daemon.web.pages.routes import PAGES
from tests.daemon.web.pages.frames import served_pages
from tests.support.asgi import asked

from .addresses import ALL, addresses

pytestmark = pytest.mark.anyio


async def test_every_link_of_every_page_leads_somewhere(shop: str) -> None:
    """One of those that differ only in a number or in the value of a parameter is tried for all."""
    links: dict[str, str] = {}
    with served_pages(shop) as app:
        for address in (f"/{each}" for page in ALL for each in addresses(shop, page)):
            page = (await asked(app, "GET", address)).body.decode()
            for found in re.findall(r'<a [^>]*?href="([^"]*)"', page):
                link = urljoin(address, unescape(found))
                links.setdefault(re.sub(r"\d+|=[^&#]*", "", re.sub(r"(/schedules/\w+)/[^/?#]+", r"\1", link)), link)
        wrong = {}
        for link in links.values():
            path, _, part = link.partition("#")
            answer = await asked(app, "GET", path)
            if answer.status not in {200, 303} or (part and f'id="{part}"' not in answer.body.decode()):
                wrong[link] = answer.status
    assert len(links) > 30
    assert any(link.endswith("#last-runs") for link in links.values()), "where the strip of a schedule leads"
    assert wrong == {}


async def test_who_only_reads_sees_every_act_as_a_disabled_control_with_the_reason(shop: str) -> None:
    acts, reads = "the-token-that-can-act", "the-token-that-only-reads"
    to_an_act = re.compile(r"/(?:run|pause|resume|backfill|cancel|retry|forget|retire)(?:$|[?])")
    offered = 0
    with served_pages(shop, Door(token=acts, read_token=reads)) as app:
        for address in (f"/{each}" for page in PAGES for each in addresses(shop, page)):
            links, disabled, page = list[int](), list[int](), ""
            for token in (acts, reads):
                page = (await asked(app, "GET", address, {"authorization": f"Bearer {token}"})).body.decode()
                links.append(len(list(filter(to_an_act.search, re.findall(r'<a [^>]*?href="([^"]*)"', page)))))
                disabled.append(len(re.findall('<button [^>]*disabled title="Your token [^>]*"why-not"', page)))
            assert (links[1], disabled) == (0, [0, links[0]]), address
            assert not links[0] or page.count('id="why-not"') == 1
            offered += links[0]
    assert offered > 5
