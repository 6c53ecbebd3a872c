"""`/livez` and `/readyz`, over real sockets."""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.web.address import WebAddress
from daemon.web.app import WebNotStarted, WebServer, web_app
from daemon.web.door import Door
from daemon.web.health import Beat, Loops, Problems, Standing
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.usefixtures("passing_seconds")  # a server looks only now and then if it is to stop

ANY = WebAddress("127.0.0.1", 0)
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[WebServer] = []

    def start(
        loops: Loops = dict,
        problems: Problems = dict,
        token: str | None = None,
        standing: Standing = lambda: None,
    ) -> str:
        servers.append(WebServer(web_app(Door(token=token), loops, problems, standing=standing), ANY))
        return f"http://{servers[-1].start()}"

    yield start
    for server in servers:
        server.stop()


def get(url: str, **headers: str) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310 - our own server
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_livez_tells_of_each_loop(serve: Serve) -> None:
    beats = {"claiming": Beat(0.5, 3), "heartbeat": Beat(1, 5)}
    url = serve(lambda: beats)
    assert get(f"{url}/livez")[0] == 200
    beats["claiming"] = Beat(4, 3)
    status, body = get(f"{url}/livez")
    assert status == 503
    assert body == {
        "alive": False,
        "status": "claiming",
        "loops": {
            "claiming": {"alive": False, "seconds": 4, "limit": 3},
            "heartbeat": {"alive": True, "seconds": 1, "limit": 5},
        },
        "counts": {},
    }


def test_a_check_that_fails_is_a_no(serve: Serve) -> None:
    def broken() -> dict[str, Beat]:
        raise RuntimeError("secret")

    assert get(f"{serve(broken)}/livez") == (503, {"error": "the check itself failed: RuntimeError"})


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield int(other.getsockname()[1])


def test_a_taken_address_that_nobody_asked_for_is_replaced_by_a_free_one(taken: int) -> None:
    server = WebServer(web_app(Door(), dict, dict), WebAddress("127.0.0.1", taken))
    try:
        bound = server.start()
        assert bound.port != taken
        assert get(f"http://{bound}/livez")[0] == 200
    finally:
        server.stop()


def test_a_taken_address_that_was_asked_for_is_one_sentence(taken: int) -> None:
    server = WebServer(web_app(Door(), dict, dict), WebAddress("127.0.0.1", taken, asked=True))
    with pytest.raises(WebNotStarted, match=f"^127.0.0.1:{taken} is already in use; choose another --web"):
        server.start()
    server.stop()


def test_an_address_that_is_not_this_machines_is_one_sentence() -> None:
    server = WebServer(web_app(Door(), dict, dict), WebAddress("192.0.2.1", 8520, asked=True))
    with pytest.raises(WebNotStarted, match=r"^192\.0\.2\.1:8520 cannot be used: .*; choose another --web"):
        server.start()
    server.stop()


FULL = """
import json, os, resource, socket, urllib.request
from daemon.web.address import WebAddress
from daemon.web.app import WebServer, web_app
from daemon.web.door import Door
from tests.support.waiting import wait_until

said = []
server = WebServer(web_app(Door(), dict, dict), WebAddress("127.0.0.1", 0), said.append)
url = f"http://{server.start()}/livez"
own = socket.socket()
waiting = [own, *(socket.socket() for _ in range(3))]
resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))), 1_024))
for one in waiting:
    one.connect((server._asked.host, server._socket.getsockname()[1]))
wait_until(lambda: said, "it says so")
resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, 1_024))
print(urllib.request.urlopen(url, timeout=30).status)
for one in waiting:
    one.close()
server.stop()
print(*said, sep="\\n")
"""


@pytest.mark.usefixtures("processes")
@pytest.mark.skipif(sys.platform != "linux", reason="the descriptors of a process")
def test_without_a_descriptor_for_a_connection_it_says_so_once_and_answers_when_there_is_one() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", FULL], env=environment, capture_output=True, text=True, check=True)
    status, sentence = done.stdout.splitlines()
    assert (status, done.stderr) == ("200", "")
    assert "out of file descriptors, so the web server cannot accept requests for now; count them" in sentence


def test_without_a_thread_it_does_not_start_and_one_sentence_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    server = WebServer(web_app(Door(), dict, dict), ANY)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(WebNotStarted, match="so the web server cannot start; see `ulimit -u`"):
        server.start()
    server.stop()


def test_after_stop_the_address_is_free() -> None:
    server = WebServer(web_app(Door(), dict, dict), ANY)
    bound = server.start()
    server.stop()
    with closing(socket.create_server((bound.host, bound.port))):
        pass


def test_readyz_says_how_the_definitions_stand_to_whom_may_know_and_is_ready_all_the_same(serve: Serve) -> None:
    said = "generation 1 is superseded by generation 2"
    url = serve(standing=lambda: said)
    assert get(f"{url}/readyz") == (200, {"ready": True, "status": "ok", "problems": {}, "generation": said})
    guarded = serve(token="secret", standing=lambda: said)
    assert get(f"{guarded}/readyz") == (200, {"ready": True, "status": "ok"})
    assert get(f"{guarded}/readyz", Authorization="Bearer secret")[1]["generation"] == said
    assert get(f"{serve()}/readyz") == (200, {"ready": True, "status": "ok", "problems": {}})
