"""The pages behind the proxy of the page about security: two replicas, under a prefix that it removes or leaves."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from sqlalchemy import select

from daemon.service.settings import read_settings
from daemon.service.web_service import door_to
from daemon.store.tables import run
from daemon.web.address import WebAddress
from daemon.web.api.desk import Desk
from daemon.web.app import WebServer, web_app
from daemon.web.pages.routes import page_routes
from tests.docs.pages import ROOT, blocks
from tests.support.browsing import CHECKED
from tests.support.postgres import free_port
from tests.support.store import Store, a_schedule
from tests.support.waiting import LIMIT, wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = [
    pytest.mark.extended,
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(NGINX is None, reason="there is no nginx on the PATH (Debian: apt install nginx-light)"),
]

PAGE = ROOT / "docs" / "how-to" / "operate" / "security.md"
(SHOWN,) = blocks(PAGE, "nginx")
TOKEN = "0123456789abcdef0123456789abcdef"
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream leased {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        auth_basic leased;
        auth_basic_user_file {folder}/users;
        {location}
    }}
}}
"""
BASIC = {"Authorization": "Basic YW5uOnB3"}
"""ann, with the password pw."""


class Client:
    """A browser without script: it keeps cookies, and follows redirects."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, fields: dict[str, str] | None = None) -> tuple[str, str]:
        """Return where it has arrived, and the page."""
        headers = {**BASIC, "Accept": "text/html", "Origin": self.root.partition("/leased")[0]}
        body = None if fields is None else urlencode(fields).encode()
        request = Request(f"{self.root}{path}", body, headers)  # noqa: S310 - our own server
        with self.opener.open(request, timeout=LIMIT) as answer:
            return answer.url, answer.read().decode()


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store(sqlite_url) as opened:
        opened.sync(a_schedule("nightly"))
        yield opened


@pytest.fixture
def replicas(store: Store) -> Iterator[list[WebAddress]]:
    """The servers of two replicas, which share nothing but the database and the settings."""
    url = {"web_url": "http://localhost/leased", "web_token": TOKEN}
    settings = read_settings({**url, "web_user_header": "X-Forwarded-User", "web_proxies": "127.0.0.1"})
    desks, servers = [], []
    for _ in range(2):
        desks.append(Desk(store.url))
        door = door_to(WebAddress("127.0.0.1", 0), settings)
        servers.append(
            WebServer(web_app(door, dict, dict, routes=page_routes(desks[-1], 60.0, lambda: CHECKED)), door.bound)
        )
    yield [one.start() for one in servers]
    for server, desk in zip(servers, desks, strict=True):
        server.stop()
        desk.close()


@pytest.fixture(params=["proxy_pass http://leased;", "proxy_pass http://leased/;"], ids=["leaves it", "removes it"])
def site(request: pytest.FixtureRequest, replicas: list[WebAddress], tmp_path: Path) -> Iterator[str]:
    """Where nginx serves the pages of both in turn."""
    assert "proxy_pass http://leased;" in SHOWN
    port, servers = free_port(), " ".join(f"server {one};" for one in replicas)
    location = SHOWN.replace("proxy_pass http://leased;", request.param)
    (tmp_path / "users").write_text("ann:{PLAIN}pw\n")
    (tmp_path / "conf").write_text(AROUND.format(folder=tmp_path, servers=servers, port=port, location=location))
    command = [
        NGINX or "",
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "conf"),
        "-g",
        "user root;" if os.geteuid() == 0 else "",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as nginx:
        root = f"http://localhost:{port}/leased/"
        try:
            wait_until(lambda: is_up(root) or nginx.poll() is not None, "nginx answers")
            assert nginx.poll() is None, nginx.stderr and nginx.stderr.read()
            yield root
        finally:
            nginx.terminate()


def is_up(root: str) -> bool:
    try:
        return "Sign in" in Client(root).open("sign-in")[1]
    except URLError:
        return False


def test_pages_sign_in_the_stream_and_acts_work_whichever_replica_answers(site: str, store: Store) -> None:
    client = Client(site)
    at, page = client.open("runs")
    assert at.endswith("/leased/sign-in?next=%2Fleased%2Fruns")
    assert 'action="/leased/sign-in"' in page
    at, page = client.open("sign-in", {"token": TOKEN, "next": "/leased/runs"})
    assert at == f"{site}runs"
    links = set(re.findall(r'(?:href|src|action)="([^"#]*)"', page))
    assert links
    assert all(link.startswith("/leased/") for link in links), links
    for path in (link.removeprefix("/leased/") for link in links if "/assets/" in link or "/icon/" in link):
        assert client.open(path)[1]
    for _ in range(4):  # each replica, twice
        assert client.open("")[0] == site
    with closing(client.opener.open(Request(f"{site}events?of=/leased/runs", headers=BASIC), timeout=LIMIT)) as stream:  # noqa: S310
        lines = [stream.readline() for _ in range(4)]
    assert any(line.startswith((b"data:", b"id:")) for line in lines), lines
    _, form = client.open("schedules/shop/nightly/run")
    token = re.search(r'name="form_token" value="(\w+)"', form)
    assert token is not None
    (made,) = [at for at, _ in [client.open("schedules/shop/nightly/run", {"form_token": token[1], "why": "to see"})]]
    (row,) = store.rows(select(run))
    assert made == f"{site}runs/{row.id}"
    assert (row.requested_by, row.requested_why) == ("ann", "to see")
