"""The page about the API: its examples, sent with curl, and its tables against the endpoints."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from daemon.answers.questions import DoctorAnswer
from daemon.web.address import WebAddress
from daemon.web.api.acts import ACTS
from daemon.web.api.desk import Desk
from daemon.web.api.questions import questions
from daemon.web.api.routes import api_routes
from daemon.web.app import WebServer, web_app
from daemon.web.door import Door
from tests.docs.pages import ROOT, blocks
from tests.support.store import Store, a_schedule
from tests.support.waiting import LIMIT

PAGE = ROOT / "docs" / "reference" / "api.md"
(EXAMPLES,) = blocks(PAGE, "sh")
DEFAULT = str(WebAddress())
ALWAYS = {"by", "why"}
WELL = partial(DoctorAnswer, ok=True, items=())


@pytest.fixture
def address(sqlite_url: str) -> Iterator[str]:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("nightly"))
    door, desk = Door(WebAddress(port=0)), Desk(sqlite_url)
    server = WebServer(web_app(door, dict, dict, routes=api_routes(desk, 60.0, WELL)), door.bound)
    yield str(server.start())
    server.stop()
    desk.close()


@pytest.mark.usefixtures("processes", "passing_seconds")
@pytest.mark.skipif(shutil.which("curl") is None, reason="install curl: the page's examples use it")
def test_its_examples_are_answered(address: str) -> None:
    lines = EXAMPLES.splitlines()
    answers = []
    for line in lines:
        command = line.replace(DEFAULT, address)
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=LIMIT)  # noqa: S602 - the page's
        answers.append(json.loads(done.stdout))
    assert [one["schema"] for one in answers] == ["leased/status/2", "leased/runs/2", "leased/trigger/1"]


def test_its_tables_have_each_endpoint_with_its_parameters() -> None:
    found = {}
    for path, command, parameters in re.findall(
        r"^\| `([\w/-]+)` \| \[`leased .*?\]\(schemas/([\w-]+)\.json\) \| (.*?) ?\|$", PAGE.read_text(), re.MULTILINE
    ):
        found[path, command] = set(re.findall(r"`(\w+)`", parameters))
    assert found == {
        (one.path[1:].replace("{run_id}", "RUN"), one.answers[0]): set(one.asks.model_fields)
        - (ALWAYS if one.method == "POST" else set(re.findall(r"{(\w+)}", one.path)))
        for one in [*questions(60.0, WELL), *ACTS]
    }, "correct the tables of docs/reference/api.md"
