"""The checks of an installation: each made red, or yellow, by its real cause where that can be had, the rest decided purely."""

import dataclasses
import os
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, update

from daemon.answers.questions import Check
from daemon.service.doctor import checks
from daemon.service.doctor.checks import CHECKS, checked
from daemon.service.doctor.examination import DatabaseFile, Examined, examine, seconds_of, stops_of
from daemon.service.settings import Settings
from daemon.store.views.locks import Lock
from daemon.store.views.problems import Problem
from daemon.store.views.replicas import ReplicaLine
from daemon.store.views.server import OldTransaction, Server
from lease.database.dialects import clock, later, now
from lease.errors import StoreUnavailable
from lease.schema import lease
from tests.daemon.cli.screens.ways import call
from tests.docs.pages import ROOT, blocks
from tests.support.postgres import query
from tests.support.store import Store, a_schedule, pending_runs

PAGE = ROOT / "docs" / "how-to" / "operate" / "check-an-installation.md"
AT = datetime(2026, 7, 1, tzinfo=UTC)
SERVER = Server(
    version=180_004,
    shown="18.4",
    schema="public",
    role="leased",
    pid=1,
    read_only=False,
    autovacuum=True,
    durable=True,
    statement_timeout=None,
    connections=5,
    most_connections=97,
    sees_all=True,
    missing_rights=[],
    may_use_schema=True,
    oldest=None,
    not_analyzed=[],
    without_autovacuum=[],
    ttls=[15.0],
)
FILE = DatabaseFile("leased.db", 0o600, may_write=True, network=None, journal="wal")
REPLICA = ReplicaLine("h", "shop", "web-1", 1, "1", "running", AT, AT, 1.0, None, 1, True)
WELL = Examined(Settings(), "postgresql://db/shop", 1024, server=SERVER, replicas=[REPLICA])
THIN = Lock("run/shop/nightly", 4, "x", "web-1:1", AT, AT, 11.0, 4.0, live=True, run_id=7)
STANDING: Any = dataclasses.make_dataclass("Standing", ["application", "number"])


def of_server(**values: Any) -> Examined:
    return dataclasses.replace(WELL, server=dataclasses.replace(SERVER, **values))


def of_file(**values: Any) -> Examined:
    return dataclasses.replace(WELL, server=None, file=dataclasses.replace(FILE, **values))


def of_all(**values: Any) -> Examined:
    return dataclasses.replace(WELL, **values)


def beside(**values: Any) -> Examined:
    """Two replicas, of which one is otherwise."""
    return of_all(replicas=[REPLICA, dataclasses.replace(REPLICA, **values)])


def wrong(found: Examined) -> list[tuple[str, str]]:
    return [(one.check, one.level) for one in checked(found) if one.level != "green"]


ILL = {
    "an old server": (of_server(version=150_001, shown="15.1"), "database", "red", "upgrade"),
    "a standby": (of_server(read_only=True), "database", "red", "URL of the primary"),
    "older tables": (of_all(schema_problem="too old; `leased db upgrade`"), "tables", "red", "leased db upgrade"),
    "no right": (
        of_server(missing_rights=[("run", "INSERT")]),
        "rights",
        "red",
        "GRANT INSERT ON public.run TO leased;",
    ),
    "no schema": (of_server(may_use_schema=False), "rights", "red", "GRANT USAGE ON SCHEMA public TO leased;"),
    "a far database": (of_all(round_trip=0.25), "round trip", "red", "LEASED_LEASE_TTL"),
    "a slow connection": (of_all(connect=1.5), "round trip", "yellow", "LEASED_LEASE_TTL"),
    "a wrong clock": (of_all(clock_offset=-90.0), "clocks", "red", "NTP"),
    "a clock that drifts": (of_all(clock_offset=2.0), "clocks", "yellow", "NTP"),
    "a pooler": (of_all(direct=False), "pooler", "yellow", "session mode"),
    "no notification": (of_all(hears=False), "LISTEN", "yellow", "session mode"),
    "a long transaction": (
        of_server(oldest=OldTransaction(4000.0, 17, "psql", "idle in transaction")),
        "transactions",
        "red",
        "pg_terminate_backend(17)",
    ),
    "a forgotten prepared one": (
        of_server(oldest=OldTransaction(1000.0, None, "gid", "prepared")),
        "transactions",
        "yellow",
        "ROLLBACK PREPARED 'gid'",
    ),
    "autovacuum off": (of_server(autovacuum=False), "statistics", "red", "autovacuum"),
    "no statistics": (of_server(not_analyzed=["run"]), "statistics", "yellow", "ANALYZE public.run;"),
    "many connections": (of_server(connections=95), "connections", "yellow", "max_connections"),
    "a short timeout": (of_server(statement_timeout=1.0), "server settings", "yellow", "statement_timeout = 0"),
    "commits that can be lost": (of_server(durable=False), "server settings", "yellow", "synchronous_commit = on"),
    "a network file system": (of_file(network="nfs4"), "file", "red", "local disk"),
    "a file of somebody else": (of_file(may_write=False), "file", "red", "owner"),
    "a file that all may write": (of_file(mode=0o666), "file", "red", "chmod o-rwx leased.db"),
    "a file that all may read": (of_file(mode=0o644), "file", "yellow", "chmod o-rwx leased.db"),
    "no WAL": (of_file(journal="delete"), "file", "yellow", "replica"),
    "few descriptors": (of_all(descriptors=100), "descriptors", "red", "LEASED_CONCURRENCY to 1"),
    "others on the machine": (of_all(others=["ann"]), "web", "yellow", "LEASED_WEB_TOKEN"),
    "an impatient service": (of_all(stops=[("leased.service", 10.0)]), "grace", "red", "TimeoutStopSec=34"),
    "an impatient pod": (
        of_all(in_kubernetes=True, settings=Settings(grace=60)),
        "grace",
        "yellow",
        "terminationGracePeriodSeconds to 74",
    ),
    "no replica": (of_all(replicas=[]), "replicas", "yellow", "leased run FILE"),
    "a silent replica": (beside(seen_ago=61.0), "replicas", "yellow", "machine"),
    "a late renewal": (of_all(thin=[THIN]), "leases", "yellow", "load of its machine and of the database"),
    "two versions": (beside(version="2"), "releases", "yellow", "finish the deploy"),
    "two releases": (beside(release="b"), "releases", "yellow", "roll it back"),
    "two ttls": (of_server(ttls=[15.0, 30.0]), "releases", "yellow", "the same LEASED_LEASE_TTL"),
    "two generations": (
        of_all(generations=[STANDING("shop", 1), STANDING("shop", 2)]),
        "generations",
        "yellow",
        "leased generations",
    ),
    "one name in two files": (
        of_all(deploys=[Problem("replaced", "generation 2 shares no schedule; rename one", "shop")]),
        "generations",
        "red",
        "rename one",
    ),
}


@pytest.mark.parametrize("cause", ILL)
def test_each_cause_makes_its_check_red_or_yellow_with_a_remedy(cause: str) -> None:
    found, check, level, remedy = ILL[cause]
    problems = [one for one in checked(found) if one.level != "green"]
    assert [(one.check, one.level) for one in problems] == [(check, level)]
    assert remedy in (problems[0].remedy or "")


def test_every_check_has_a_cause_and_nothing_is_wrong_without_one() -> None:
    assert {check for _, check, _, _ in ILL.values()} == set(CHECKS)
    assert wrong(WELL) == wrong(of_file()) == []


def test_the_page_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = of_server(missing_rights=[("run", "INSERT")])
    found = dataclasses.replace(found, database="postgresql://leased@db/shop", replicas=[])
    monkeypatch.setattr(checks, "package_version", lambda: "0.2.0")
    monkeypatch.setattr(checks, "doctor", lambda _: checks.answer(checked(found)))
    shown = call("with NO_COLOR", ("doctor",), 120)
    (block,) = blocks(PAGE, "text")
    assert shown.status == 1
    assert shown.out.startswith(block)


def test_where_the_database_cannot_be_asked_this_machine_still_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Settings) -> Examined:
        raise StoreUnavailable("refused; start its server")

    assert [one.check for one in checked(WELL, reached=False)] == ["descriptors", "grace", "web"]
    monkeypatch.setattr(checks, "examine", refused)
    first, *others = checks.doctor(Settings()).items
    assert first == Check("database", "red", "refused", "start its server")
    assert {one.check for one in others} == {"descriptors", "grace", "web"}


def test_names_are_quoted_where_sql_needs_it() -> None:
    (problem,) = [one for one in checked(of_server(role='the "app"', may_use_schema=False)) if one.level == "red"]
    assert problem.remedy == 'GRANT USAGE ON SCHEMA public TO "the ""app""";'


def test_of_systemd_only_services_that_run_leased_are_looked_at() -> None:
    shown = """Id=leased.service
ExecStart={ path=/opt/shop/bin/leased ; argv[]=/opt/shop/bin/leased run schedules.py ; pid=7 }
TimeoutStopUSec=1min 30s

Id=ssh.service
ExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D }
TimeoutStopUSec=5s

Id=for-ever.service
ExecStart={ path=/usr/bin/python3 ; argv[]=python3 -m leased run shop.toml }
TimeoutStopUSec=infinity
"""
    assert list(stops_of(shown)) == [("leased.service", 90.0)]
    assert (seconds_of("2min 500ms"), seconds_of("infinity")) == (120.5, None)


OF_THE_TESTS = ("statistics", "red")
"""Their server has autovacuum off."""


def settings(url: str, **more: Any) -> Settings:
    return Settings(database_url=SecretStr(url), **more)


def test_a_right_installation_has_no_red_check_on_either_database(database_url: str) -> None:
    found = examine(settings(database_url))
    assert set(wrong(found)) - {OF_THE_TESTS} == {("replicas", "yellow")}


def test_a_database_without_tables_says_how_they_are_made(empty_database_url: str) -> None:
    with Store(empty_database_url) as store:
        store.do(lambda connection: connection.exec_driver_sql("CREATE TABLE theirs (x integer)"))
    (problem, *_) = [one for one in checked(examine(settings(empty_database_url))) if one.level == "red"]
    assert (problem.check, problem.remedy) == ("tables", "create them with `leased db upgrade`")


def test_the_lease_of_a_run_that_is_renewed_late_is_found(database_url: str) -> None:
    with Store(database_url) as store:
        store.sync(a_schedule("nightly"))
        pending_runs(store, a_schedule("nightly"), 1)
        (claimed,) = store.claim("nightly", holder="web-1")
        assert not examine(settings(database_url)).thin
        late = {"renewed_at": later(now(), -11.0), "expires_at": later(clock(), 4.0)}
        store.do(lambda connection: connection.execute(update(lease).values(**late)))
        problems = [one for one in checked(examine(settings(database_url))) if one.check == "leases"]
    assert [one.level for one in problems] == ["yellow"]
    assert problems[0].text.startswith(f"the lease of run {claimed.run_id} is renewed late by ")


def test_more_runs_at_once_than_descriptors_are_red(sqlite_url: str) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] == resource.RLIM_INFINITY:
        pytest.skip("this machine has no limit of descriptors: set one with `ulimit -Hn`")
    assert ("descriptors", "red") in wrong(examine(settings(sqlite_url, concurrency=10**9)))


def test_a_table_without_statistics_is_found_until_it_is_analyzed(postgres_url: str) -> None:
    with Store(postgres_url) as store:
        store.sync(a_schedule("daily"))
        pending_runs(store, a_schedule("daily"), 1_000)
    problems = [one for one in checked(examine(settings(postgres_url))) if "no statistics of run" in one.text]
    assert [one.level for one in problems] == ["yellow"]
    query(postgres_url, problems[0].remedy or "")
    assert not [one for one in checked(examine(settings(postgres_url))) if "no statistics" in one.text]


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    name = f"doctor_{os.getpid()}"
    query(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD 's3cret'")
    yield name
    query(postgres_url, f"DROP OWNED BY {name} CASCADE")
    query(postgres_url, f"DROP ROLE {name}")


def test_the_grant_that_is_named_is_the_one_that_was_missing(postgres_url: str, role: str) -> None:
    url = make_url(postgres_url).set(username=role, password="s3cret").render_as_string(hide_password=False)
    nothing = [one for one in checked(examine(settings(url))) if one.check in {"rights", "tables"}]
    assert [one.level for one in nothing] == ["red", "red", "red"]
    for problem in nothing[1:]:
        query(postgres_url, (problem.remedy or "").removeprefix("as their owner: "))
    assert set(wrong(examine(settings(url)))) - {OF_THE_TESTS} == {("replicas", "yellow")}
    query(postgres_url, f"REVOKE INSERT, DELETE ON run, act FROM {role}")
    (problem,) = [one for one in checked(examine(settings(url))) if one.check == "rights"]
    assert problem.level == "red"
    assert problem.text == f'role "{role}" lacks DELETE, INSERT on act, run'
    query(postgres_url, (problem.remedy or "").removeprefix("as their owner: "))
    assert ("rights", "red") not in wrong(examine(settings(url)))


def test_a_role_that_can_only_read_is_red(postgres_url: str, role: str) -> None:
    query(postgres_url, f"ALTER ROLE {role} SET default_transaction_read_only = on")
    url = make_url(postgres_url).set(username=role, password="s3cret").render_as_string(hide_password=False)
    assert ("database", "red") in wrong(examine(settings(url)))


def test_a_long_transaction_a_short_timeout_and_tables_without_autovacuum_are_found(
    postgres_url: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_OLD", 0.0)
    monkeypatch.setattr(checks, "_VERY_OLD", 0.0)
    query(postgres_url, f"ALTER ROLE {role} SUPERUSER")
    query(postgres_url, f"ALTER ROLE {role} SET statement_timeout = '1s'")
    query(postgres_url, "ALTER TABLE run SET (autovacuum_enabled = false)")
    url = make_url(postgres_url).set(username=role, password="s3cret").render_as_string(hide_password=False)
    with psycopg.connect(postgres_url.replace("+psycopg", ""), application_name="a forgotten psql") as forgotten:
        forgotten.execute("SELECT 1")
        found = [one for one in checked(examine(settings(url))) if one.level != "green"]
    problems = {one.check: one for one in reversed(found)}  # the first of each; others may lack statistics just now
    assert problems["transactions"].level == problems["statistics"].level == "red"
    assert "a forgotten psql (idle in transaction)" in problems["transactions"].text
    (reset,) = [one.remedy or "" for one in found if "ALTER TABLE" in (one.remedy or "")]
    assert reset == "ALTER TABLE public.run RESET (autovacuum_enabled);"
    query(postgres_url, reset)
    assert problems["server settings"].remedy == f"ALTER ROLE {role} SET statement_timeout = 0;"
