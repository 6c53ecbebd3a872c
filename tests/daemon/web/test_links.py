"""The address of a schedule whose name is odd, as a browser asks for it."""

import http.client
import json
import re
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.web.address import WebAddress
from daemon.web.api.asked import checked
from daemon.web.app import WebServer, web_app
from daemon.web.door import Door
from daemon.web.pages.links import ScheduleAsked, schedule_path
from daemon.web.pages.schedule import SCHEDULE
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.usefixtures("passing_seconds")  # a server looks only now and then if it is to stop

ODD = (
    *("nightly", "a b", "100%", "%2F", "a%2Fb", "~2F", "~", ".", "..", "...", ".hidden", "pause", "run", "a\\b"),
    *("über", "🦀", "\u202egnp", "<b>&amp;", "a?b#c;d&e=f", "+", "'\"", "x" * 255, "a/b", "/", "//", "/.."),
)


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    def asked(request: Request) -> Response:
        return JSONResponse(
            [request.scope["route"].name, *checked(ScheduleAsked, request.path_params).model_dump().values()]
        )

    routes = [Route(f"{SCHEDULE.path}{act}", asked, name=name) for act, name in (("", "page"), ("/pause", "pause"))]
    server = WebServer(web_app(Door(), dict, dict, routes=routes), WebAddress("127.0.0.1", 0))
    at = server.start()
    opened = http.client.HTTPConnection(at.host, at.port, timeout=LIMIT)
    yield opened
    opened.close()
    server.stop()


def test_any_name_has_a_page_and_its_acts_have_pages_of_their_own(connection: http.client.HTTPConnection) -> None:
    for name in ODD:
        for act, what in (("", "page"), ("/pause", "pause")):
            connection.request("GET", f"/{schedule_path('pause', name)}{act}")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, [what, "pause", name])


def test_no_name_has_more_parts_in_a_path_than_one() -> None:
    """Proxies decode a path, join its slashes and take ".." away before they pass it on."""
    for name in ODD:
        path = schedule_path("..", name)
        assert path.count("/") == 2
        assert not re.search(r"%2f|%5c|/\.\.?(/|$)", path, re.IGNORECASE)
