"""`leased web`: the pages without a replica."""

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from daemon.service.settings import read_settings
from daemon.service.web_service import WebAlone, nobody_runs
from daemon.web.address import WebAddress
from lease.errors import StoreUnavailable
from tests.daemon.web.pages.frames import with_replica
from tests.support.store import Store, a_schedule
from tests.support.waiting import LIMIT, wait_until

from .conftest import ROOT, Leased


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        opened.sync(a_schedule("nightly"))
        yield opened


@contextmanager
def alone(store: Store, look: Any = bool) -> Iterator[tuple[str, list[str]]]:
    said: list[str] = []
    warned: list[str] = []
    served = WebAlone(read_settings({"database_url": store.url}), WebAddress("127.0.0.1", 0), look)
    thread = threading.Thread(target=served.serve, args=(said.append, warned.append))
    thread.start()
    try:
        wait_until(lambda: said, "it answers")
        yield said[0], warned
    finally:
        served.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()


def got(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.usefixtures("passing_seconds")
def test_it_serves_the_pages_and_the_api_and_no_metrics(store: Store) -> None:
    with alone(store) as (address, _):
        status, page = got(address)
        assert status == 200
        assert "No replica has run yet." in page
        assert "leased run FILE" in page
        assert json.loads(got(f"{address}api/v1/status")[1])["items"][0]["schedule"] == "nightly"
        assert got(f"{address}metrics") == (
            404,
            '{"error":"leased web serves no metrics: each replica of leased run serves its own"}',
        )


@pytest.mark.usefixtures("passing_seconds")
def test_readyz_says_whether_the_database_answers(store: Store) -> None:
    away = threading.Event()

    def look() -> None:
        if away.is_set():
            raise StoreUnavailable("the database does not answer")

    with alone(store, look) as (address, warned):
        assert got(f"{address}readyz")[0] == 200
        away.set()
        wait_until(lambda: got(f"{address}readyz")[0] == 503, "it says no")
        assert json.loads(got(f"{address}readyz")[1])["problems"] == {"database": "the database does not answer"}
        assert warned == ["the database does not answer; trying again"]
        away.clear()
        wait_until(lambda: got(f"{address}readyz")[0] == 200, "it says yes again")


def test_it_says_that_no_replica_runs_since_when_and_what_starts_one(store: Store) -> None:
    assert store.do(nobody_runs) == "no replica has run yet; start one: leased run FILE"
    with_replica(store, "web-1", seen_ago=3_600)  # killed, and nobody was left to record that
    said = store.do(nobody_runs)
    assert said is not None
    assert said.startswith("no replica has been running since 20")
    with_replica(store, "web-2")
    assert store.do(nobody_runs) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no database file"),
        (["--web", "off"], "web is off, so there is nothing to serve; give --web HOST:PORT"),
        (["--web", "0.0.0.0:80"], "set LEASED_WEB_TOKEN"),
        (["--web", "here"], '"here" is not HOST:PORT'),
        (["missing.toml"], "missing.toml"),
    ],
)
def test_what_it_cannot_serve_is_one_sentence(leased: Leased, arguments: list[str], said: str) -> None:
    answer = leased("web", *arguments)
    assert (answer.status, answer.out) == (answer.status or -1, "")
    assert said in " ".join(answer.err.split())


@pytest.mark.usefixtures("processes")
def test_it_ends_at_a_signal_as_a_replica_does(store: Store) -> None:
    command = [sys.executable, "-m", "leased", "web", "--database", store.url, "--web", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline() for _ in range(2)]
        assert "no replica has run yet; start one: leased run FILE" in lines[0]
        assert "http://127.0.0.1:" in lines[1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 128 + signal.SIGTERM
        process.stdout.close()
        process.stderr.close()
