"""Each link of each page leads somewhere: none to a page that refuses what the link says."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest

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
                link = urljoin(address, unescape(found)).partition("#")[0]
                links.setdefault(re.sub(r"\d+|=[^&]*", "", re.sub(r"(/schedules/\w+)/[^/?]+", r"\1", link)), link)
        answers = {link: (await asked(app, "GET", link)).status for link in links.values()}
    assert len(answers) > 30
    assert {link: status for link, status in answers.items() if status not in {200, 303}} == {}
