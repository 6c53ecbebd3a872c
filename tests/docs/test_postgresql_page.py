"""The page about PostgreSQL in production: its roles and rights are enough, and none too many; its queries and URLs work."""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from unittest.mock import patch

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import lease.sync
from daemon import AsyncRun, Schedules
from daemon.cli import main
from daemon.store import migrations
from daemon.store.migrations.state import MayNotMigrate
from daemon.telemetry import logs
from lease.errors import StoreUnavailable
from tests.docs.pages import ROOT, blocks
from tests.support.databases import Server, fresh_database
from tests.support.postgres import free_port, query
from tests.support.tls import TlsFront
from tests.support.waiting import LIMIT, wait_until

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(
        os.environ.get("LEASED_TEST_POSTGRES", "").startswith("postgres"),
        reason="makes roles: unset LEASED_TEST_POSTGRES",
    ),
]

PAGE = ROOT / "docs" / "how-to" / "operate" / "postgresql-in-production.md"
ROLES, RIGHTS, *QUERIES = blocks(PAGE, "sql")
SAFE, AVAILABLE = (make_url(block.strip()) for block in blocks(PAGE, "text"))
CONNECTIONS = re.compile(r"^\| (?P<of>a replica|a lock client) .*?\| (?P<idle>.*?) \| (?P<most>\d+) \|$", re.MULTILINE)
LIMITS = {
    row["of"]: (*map(int, re.findall(r"\d+", row["idle"])), int(row["most"]))
    for row in CONNECTIONS.finditer(PAGE.read_text())
}
"""The numbers of connections in the page's table: at rest, and at most."""


class Installation:
    """A database that was set up as the page says, but for the names of its roles."""

    def __init__(self, url: str) -> None:
        self._admin = url
        self._names = {role: f"{role}_of_test_{os.getpid()}" for role in ("leased_owner", "leased")}
        *roles, create = self._statements(ROLES)
        for statement in roles:
            query(url, statement)
        with pytest.raises(MayNotMigrate, match="cannot create tables"):
            migrations.upgrade(self.url("leased_owner"))
        query(url, create)
        (rights,) = self._statements(RIGHTS)
        query(self.url("leased_owner"), rights)
        migrations.upgrade(self.url("leased_owner"))

    def url(self, role: str) -> str:
        passwords = dict(re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '(.*)'", ROLES))
        url = make_url(self._admin).set(username=self._names[role], password=passwords[role])
        return url.render_as_string(hide_password=False)

    def administer(self, statement: str) -> None:
        """Run a statement in which roles have the page's names."""
        for one in self._statements(statement):
            query(self._admin, one)

    def connections(self, of: str = "%") -> int:
        """Return how many connections the role has, of applications that are named like this."""
        of_role = f"usename = '{self._names['leased']}' AND application_name LIKE '{of}'"
        return int(query(self._admin, f"SELECT count(*) FROM pg_stat_activity WHERE {of_role}")[0][0])

    def remove(self) -> None:
        for name in reversed(self._names.values()):
            query(self._admin, f"DROP OWNED BY {name} CASCADE")
            query(self._admin, f"DROP ROLE {name}")

    def _statements(self, text: str) -> list[str]:
        named = re.sub(r"\b(leased_owner|leased)\b", lambda role: self._names[role[0]], text)
        return [statement for statement in named.split(";") if statement.strip()]


@pytest.fixture(scope="module")
def installation(postgres_server: Server) -> Iterator[Installation]:
    with fresh_database(postgres_server) as url:
        installation = Installation(url)
        yield installation
        installation.remove()


def schedules_that_fence(url: str) -> Schedules:
    schedules = Schedules("shop")

    @schedules.on_request(overlap="allow")
    async def job(run: AsyncRun) -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await run.fence(connection)
        await engine.dispose()

    return schedules


@pytest.mark.anyio
async def test_a_replica_and_a_job_need_no_more_than_these_rights(installation: Installation) -> None:
    url = installation.url("leased")
    schedules = schedules_that_fence(url)
    at_rest, most = LIMITS["a replica"]
    seen = set[int]()

    def are_done() -> bool:
        seen.add(installation.connections("leased%"))
        return query(url, "SELECT count(*) FROM run WHERE state = 'succeeded'") == [(20,)]

    async with schedules.replica(url):
        wait_until(lambda: installation.connections() == at_rest, "it has opened what it needs at rest")
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            for _ in range(20):
                await schedules.trigger("job", connection=connection)
        await engine.dispose()
        wait_until(are_done, "all runs are recorded as done")
    assert max(seen) <= most, seen


@pytest.mark.anyio
@pytest.mark.parametrize("right", re.findall("SELECT|INSERT|UPDATE|DELETE", RIGHTS))
async def test_a_replica_without_one_of_these_rights_does_not_start_and_names_it(
    right: str, installation: Installation
) -> None:
    url = installation.url("leased")
    schedules = schedules_that_fence(url)
    installation.administer(f"REVOKE {right} ON ALL TABLES IN SCHEMA public FROM leased")
    try:
        with pytest.raises(
            StoreUnavailable,
            match=rf"permission denied for table \w+; let its owner grant this with GRANT \S*.*{right}",
        ):
            async with schedules.replica(url):
                pass
    finally:
        installation.administer(f"GRANT {right} ON ALL TABLES IN SCHEMA public TO leased")


def test_a_lock_client_opens_no_more_connections_than_the_page_says(installation: Installation) -> None:
    none, holding, most = LIMITS["a lock client"]
    seen = set[int]()

    def work(client: lease.sync.LeaseClient, name: str) -> None:
        for _ in range(20):
            with client.hold(name, wait=LIMIT):
                pass

    with lease.sync.LeaseClient(installation.url("leased")) as client:
        assert installation.connections() == none
        with client.hold("report"):
            assert installation.connections() == holding
            threads = [Thread(target=work, args=(client, f"shop-{number % 8}")) for number in range(24)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                seen.add(installation.connections())
    assert max(seen) <= most


def test_only_the_owner_prepares_a_restored_database(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    done = {
        role: (main(["db", "restored", "--force", "--database", installation.url(role)]), capsys.readouterr().err)
        for role in ("leased", "leased_owner")
    }
    assert done["leased_owner"] == (0, "")
    assert done["leased"][0] == 1
    assert "run this as the owner of leased's tables" in done["leased"][1]


def test_the_commands_of_the_page_are_run_by_its_roles(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_is_set_up", True)  # a replica in this process would take over the log of the tests
    monkeypatch.chdir(tmp_path)
    schedules = "from daemon import Schedules\n\na = Schedules('shop')\na.add('nightly', cron='0 2 * * *').command('work', 'true')\n"
    (tmp_path / "schedules.py").write_text(schedules)
    (commands,) = blocks(PAGE, "sh")
    asked = [shlex.split(line, comments=True) for line in commands.splitlines()]
    roles = [str(make_url(words[-1]).username) for words in asked]
    assert roles == re.findall(r"CREATE ROLE (\w+)", ROLES)
    for role, (program, *words) in zip(roles, asked, strict=True):
        assert (program, words[-2]) == ("leased", "--database")
        unattended = ["--no-web", "--until-idle"] if words[0] == "run" else []
        with patch.dict(os.environ):
            assert main([*words[:-1], installation.url(role), *unattended]) == 0


@pytest.mark.parametrize("statement", QUERIES, ids=lambda text: re.findall(r"AS (\w+)|count", text)[0] or "connections")
def test_each_query_answers_the_role_of_the_replicas(statement: str, installation: Installation) -> None:
    url = installation.url("leased")
    with lease.sync.LeaseClient(url) as client, client.hold("report"):
        rows = query(url, statement)
    if "application_name LIKE" in statement:
        assert {"leased", "leased heartbeat"} <= {row[0] for row in rows}
    elif "relname" in statement:
        assert {row[0] for row in rows} == set(re.findall(r"'(\w+)'", statement))


def test_a_url_with_several_servers_finds_the_one_that_takes_writes(installation: Installation) -> None:
    url = make_url(installation.url("leased"))
    hosts = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{url.port}"]  # nobody answers at the first
    both = url.set(host=None, port=None, query={**AVAILABLE.query, "host": hosts})
    with lease.sync.LeaseClient(both.render_as_string(hide_password=False)) as client, client.hold("report") as held:
        assert held.token


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificates need openssl: install it")
def test_the_safe_url_refuses_a_server_that_another_authority_vouches_for(
    installation: Installation, tmp_path: Path
) -> None:
    with TlsFront(make_url(installation.url("leased")).port or 5432, tmp_path) as front:
        given = {"sslcert": str(front.client_certificate), "sslkey": str(front.client_key)}
        for authority, is_right in ((front.authority, True), (front.stranger, False)):
            asked = SAFE.query | {"sslrootcert": str(authority)} | given
            url = make_url(installation.url("leased")).set(host="127.0.0.1", port=front.port, query=asked)
            with lease.sync.LeaseClient(url.render_as_string(hide_password=False)) as client:
                if is_right:
                    assert client.list() is not None
                else:
                    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
                        client.list()
