"""One replica as a service: put together, at work on a database of its own, and taken apart; with the status that it ends with."""

import asyncio
import os
import re
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from daemon import AsyncRun, Schedules
from daemon.execution.attempt import WorkOutlivesLease
from daemon.execution.writes.transactions import EndedJob
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import NoSuchSchedule, trigger
from daemon.service.environment import withhold_secrets
from daemon.service.replica import Replica
from daemon.service.service import FAILED, Service
from daemon.service.settings import Settings
from daemon.store.tables import replica as replicas
from daemon.store.tables import run
from daemon.store.views.output import OutputReader
from daemon.telemetry.facts import Fact, JobPrinted, Note, ReplicaEnded, ReplicaStarted, RunEnded, RunRecovered
from daemon.telemetry.notifier import Notifier
from daemon.telemetry.sentences import sentence
from daemon.testing.replica import in_process
from daemon.version import package_version
from daemon.web.address import WebAddress
from daemon.web.metrics import served as metrics
from lease.errors import SchemaMissing
from lease.schema import lease as leases
from tests.support.completion import retry_run, start_job
from tests.support.manual import Gate, a_shop, add_schedule, nothing, told, until
from tests.support.store import PAST, Store, a_schedule, pending_runs
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


SECRETS = ("LEASED_WEB_TOKEN", "LEASED_WEB_TOKEN_FILE", "LEASED_DATABASE_URL_FILE")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a replica finds in its environment, and leaves there for its children."""
    for name in ("LEASED_DATABASE_URL", "LEASED_SCHEMA", *SECRETS):
        monkeypatch.setenv(name, "")


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store(sqlite_url) as opened:
        yield opened


@dataclass
class Served:
    """What a service works with, and what it reports."""

    schedules: Schedules
    url: str
    facts: list[Fact] = field(default_factory=list)

    def settings(self) -> Settings:
        # A busy machine may take more than the 2 s that an attempt has by default.
        return Settings(database_url=self.url, web=None, poll=1e6, lease_ttl=75)  # type: ignore[arg-type]  # read as the command reads it

    @property
    def application(self) -> Any:
        return in_process(self.schedules.application(Path("schedules.py")))

    def run(self, *now: str) -> int:
        """Run it as the command does, until it is idle."""
        with Notifier(self.facts.append) as notifier:
            return Service(self.application, self.settings(), notifier, now=now, until_idle=True).run()

    async def serve(self, *now: str, until_idle: bool = True) -> int:
        with Notifier(self.facts.append) as notifier:
            serving = Service(self.application, self.settings(), notifier, now=now, until_idle=until_idle).serve()
            return await asyncio.wait_for(serving, LIMIT)


@asynccontextmanager
async def at_work(served: Served, *now: str) -> AsyncIterator["asyncio.Task[int]"]:
    serving = asyncio.create_task(served.serve(*now, until_idle=False))
    yield serving
    serving.cancel()
    await asyncio.wait({serving})


def registered(store: Store) -> list[str]:
    return [row.state for row in store.rows(select(replicas))]


# Its first line, its last one, and its status


async def test_its_first_line_says_what_runs_where_and_its_last_one_what_it_has_done(sqlite_url: str) -> None:
    for generation in (None, 1):
        served = Served(a_shop(nothing, catch_up="latest"), sqlite_url)
        assert await served.serve("nightly") == 0
        first, *_, last = served.facts
        assert isinstance(first, ReplicaStarted)
        assert (first.application, first.generation, first.ttl) == ("shop", generation, 75.0)
        assert first.database == sqlite_url
        assert sentence(first) == (
            f'leased {package_version()}: "shop", {"generation 1" if generation else "a new generation"}, '
            f"on {sqlite_url}, as {first.replica}, ttl 1m15s"
        )
        assert isinstance(last, ReplicaEnded)
        assert (last.replica, dict(last.runs)) == (first.replica, {"succeeded": 1})
        assert re.fullmatch(rf"{first.replica} stopped after \d+(\.\d)?s \(1 run succeeded\)", sentence(last))


def test_the_last_line_of_a_replica_counts_its_runs_by_how_they_ended() -> None:
    last = ReplicaEnded("web1:7", 3725.04, {"succeeded": 1_200, "failed": 1, "lost": 2})
    assert sentence(last) == "web1:7 stopped after 1h2m (1,200 runs succeeded, 1 failed, 2 lost)"
    assert sentence(ReplicaEnded("web1:7", 1.0, {})).endswith(" (no runs)")


async def test_one_that_ends_when_it_is_idle_prunes_before_that(store: Store, sqlite_url: str) -> None:
    """Where a timer starts it for a moment each hour, no replica would ever come to it."""
    served = Served(a_shop(nothing, keep={"days": 30}), sqlite_url)
    assert await served.serve("nightly") == 0
    store.do(lambda c: c.execute(update(run).values(created_at=PAST, started_at=PAST, finished_at=PAST)))
    assert await served.serve("nightly") == 0
    assert len(store.runs()) == 2, "it was looked for what goes a moment ago"
    store.do(lambda c: c.execute(update(leases).where(leases.c.name == "prune/shop").values(granted_at=PAST)))
    assert await served.serve() == 0
    assert len(store.runs()) == 1
    assert told(served.facts, "1 run of 1 schedule pruned (keep)")


def test_what_is_asked_for_runs_until_idle_it_ends_with_0_and_what_a_job_prints_is_the_output_of_its_run(
    store: Store, sqlite_url: str
) -> None:
    async def work(_: AsyncRun) -> None:
        sys.stdout.write("hello\n")

    served, before = Served(a_shop(work), sqlite_url), (sys.stdout, sys.stderr)
    assert served.run("nightly") == 0
    (row,) = store.runs()
    assert (row.state, row.trigger, row.requested_why) == ("succeeded", "manual", "leased run --now")
    assert os.environ["LEASED_DATABASE_URL"] == sqlite_url
    assert [part.text for part in store.do(OutputReader(1).read).parts] == ["hello\n"]
    assert [fact.lines for fact in served.facts if isinstance(fact, JobPrinted)] == [("hello",)]
    assert (sys.stdout, sys.stderr) == before


def test_a_schema_that_was_overruled_does_not_lead_the_fences_of_jobs_astray(
    store: Store, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASED_SCHEMA", "other")
    served = Served(a_shop(), sqlite_url)
    assert served.run() == 0
    assert "LEASED_SCHEMA" not in os.environ


def test_the_environment_that_jobs_inherit_has_no_secret_but_the_url_of_the_database(
    store: Store, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "not for jobs")
    seen: list[str] = []

    async def look(_run: AsyncRun) -> None:
        seen.extend(os.environ)

    served = Served(a_shop(look), sqlite_url)
    assert served.run("nightly") == 0
    assert "LEASED_DATABASE_URL" in seen
    assert not set(SECRETS) & set(seen)


def test_each_secret_setting_is_withheld_from_jobs_also_one_that_is_to_come() -> None:
    class Later(Settings):
        web_read_token: SecretStr | None = None

    environment = dict.fromkeys(("LEASED_WEB_READ_TOKEN", "LEASED_WEB_READ_TOKEN_FILE", "LEASED_WEB", "PATH"), "x")
    withhold_secrets(environment, Later.model_fields)
    assert set(environment) == {"LEASED_WEB", "PATH"}


async def test_a_job_that_failed_and_is_gone_from_the_file_fails_its_run(database_url: str) -> None:
    """Rule 22: nothing that failed ever disappears."""
    with Store(database_url) as store:
        store.sync(a_schedule("nightly", jobs=("extract", "job1")))
        store.do(trigger, "shop", "nightly", requested_by="ada")
        (claimed,) = store.claim("nightly")
        begun = store.do(start_job, claimed, "extract", 0, 1)
        assert isinstance(begun, int)
        store.do(retry_run, claimed, 0.0, job=EndedJob(begun, Outcome("failed", "no")))
        assert await Served(a_shop(nothing), database_url).serve() == FAILED
        (row,) = store.runs()
        assert (row.state, row.reason) == ("failed", 'job "extract" failed and is no longer defined')
        assert [(job.job, job.state) for job in store.job_runs()] == [("extract", "failed"), ("job1", "not started")]


async def test_a_failed_run_that_another_replica_executed_counts_too_and_is_reported(
    store: Store, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def execute_nothing(_replica: Replica, *, until_idle: bool) -> None:
        failed = update(run).values(state="failed", reason="oh", finished_at=PAST)
        store.do(lambda connection: connection.execute(failed))

    monkeypatch.setattr(Replica, "run", execute_nothing)
    served = Served(a_shop(), sqlite_url)
    assert await served.serve("nightly") == FAILED
    assert told(served.facts, 'run 1 of "nightly" was executed by another replica: failed')


# What it puts together


async def test_definitions_are_in_the_database_before_it_works_and_startup_cleanup_is_done(
    store: Store, sqlite_url: str
) -> None:
    schedules = Schedules("shop")
    for name in ("stale", "live", "new"):
        add_schedule(schedules, name)
    stored = {one.name: one for one in schedules.application().schedules}
    store.sync(stored["stale"], stored["live"])
    for name in ("stale", "live"):
        pending_runs(store, stored[name], 1)
    grants = {claimed.schedule: claimed.grant for claimed in store.claim("stale", "live", holder="gone")}
    store.go_stale(grants["stale"])
    served = Served(schedules, sqlite_url)
    async with at_work(served):
        await until(lambda: store.runs(run.c.state == "succeeded"), "the stale run was resumed")
    assert set(store.schedules()) == {"stale", "live", "new"}
    assert store.lease(grants["live"].name).holder == "gone"
    recovered = [fact for fact in served.facts if isinstance(fact, RunRecovered)]
    assert [(fact.run.schedule, fact.at_startup) for fact in recovered] == [("stale", True)]


async def test_on_a_signal_it_lets_its_job_finish_and_its_status_names_the_signal(
    store: Store, sqlite_url: str
) -> None:
    """Rule 19."""
    gate = Gate()
    served = Served(a_shop(gate.passed), sqlite_url)
    async with at_work(served, "nightly") as serving:
        await gate.entered()
        assert registered(store) == ["running"]
        signal.raise_signal(signal.SIGINT)
        await until(lambda: told(served.facts, "SIGINT: draining"), "the signal is heard")
        gate.open()
        assert await serving == 128 + signal.SIGINT
    assert [row.state for row in store.runs()] == ["succeeded"]
    assert registered(store) == ["stopped"]


async def test_a_second_signal_hands_the_run_back(store: Store, sqlite_url: str) -> None:
    gate = Gate()
    served = Served(a_shop(gate.passed), sqlite_url)
    async with at_work(served, "nightly") as serving:
        await gate.entered()
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: told(served.facts, "SIGTERM: draining"), "the first one is heard")
        signal.raise_signal(signal.SIGTERM)
        assert await serving == 128 + signal.SIGTERM
    (row,) = store.runs()
    assert (row.state, store.lease(row.lease_name).holder) == ("pending", None)


# Its metrics


TOKEN = "a-token-of-more-than-twenty-characters"


def scraped(url: str, token: str | None = TOKEN) -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=LIMIT) as answer:  # noqa: S310 - ours
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


async def test_a_run_is_counted_and_only_who_has_the_token_is_told(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "EVERY", 0.0)
    loop = asyncio.get_running_loop()
    ended, at = asyncio.Event(), loop.create_future()

    def take(fact: Fact) -> None:
        if isinstance(fact, Note) and (found := re.fullmatch(r"(http://\S+)/", fact.text)):
            loop.call_soon_threadsafe(at.set_result, found[1])
        if isinstance(fact, RunEnded):
            loop.call_soon_threadsafe(ended.set)

    application = Served(a_shop(nothing), sqlite_url).application
    settings = Settings(database_url=sqlite_url, web_token=TOKEN)  # type: ignore[arg-type]  # read as the command reads it
    with Notifier(take) as notifier:
        web = WebAddress("127.0.0.1", 0, asked=True)
        service = Service(application, settings, notifier, now=["nightly"], web=web)
        serving = asyncio.create_task(service.serve())
        url = f"{await asyncio.wait_for(at, LIMIT)}/metrics"
        await asyncio.wait_for(ended.wait(), LIMIT)
        succeeded = 'leased_runs_total{application="shop",reason="",schedule="nightly",state="succeeded"} 1.0'
        async with asyncio.timeout(LIMIT):
            while succeeded not in (text := await asyncio.to_thread(scraped, url)):
                pass  # it is asked again
        assert 'leased_replicas{application="shop",state="alive"} 1.0' in text
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            await asyncio.to_thread(scraped, url, None)
        refused.value.close()
        serving.cancel()
        await asyncio.wait({serving})


# Its end


async def test_where_work_cannot_be_ended_the_process_is_whatever_else_it_waits_for(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 9."""
    ended = asyncio.Event()

    async def stuck(replica: Replica, *, until_idle: bool) -> None:
        await replica.runs.fail(WorkOutlivesLease("a task that nothing ends"))
        await asyncio.Event().wait()

    def end(status: int) -> NoReturn:
        assert told(served.facts, "a task that nothing ends"), "the last words were delivered"
        assert status == FAILED
        ended.set()
        raise asyncio.CancelledError

    monkeypatch.setattr(Replica, "run", stuck)
    monkeypatch.setattr(os, "_exit", end)
    served = Served(a_shop(), sqlite_url)
    async with at_work(served):
        await asyncio.wait_for(ended.wait(), LIMIT)


async def test_its_stop_is_heard_and_bounded_where_the_system_has_no_thread_left(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules 19 and 25."""
    gate, ended = Gate(), asyncio.Event()

    def short(_: threading.Timer) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", short)
    monkeypatch.setattr(Settings, "longest_stop", 0.05)
    monkeypatch.setattr(os, "_exit", lambda _: ended.set())
    served = Served(a_shop(gate.passed), sqlite_url)
    async with at_work(served, "nightly"):
        await gate.entered()
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(ended.wait(), LIMIT)
        assert told(served.facts, "SIGTERM: draining")
        assert told(served.facts, "stopping took longer than 0.05s")
        gate.open()


async def test_a_database_without_tables_is_an_error_and_nothing_is_left_of_the_replica(empty_sqlite_url: str) -> None:
    before = set(threading.enumerate())  # of other tests
    with pytest.raises(SchemaMissing, match="leased db upgrade"):
        await Served(a_shop(), empty_sqlite_url).serve()
    left = {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("lease")}
    for thread in left:
        thread.join(LIMIT)  # it may be on its last step
    assert [thread.name for thread in left if thread.is_alive()] == []


async def test_a_schedule_that_is_not_there_cannot_be_asked_for_and_the_replica_ends_in_order(
    store: Store, sqlite_url: str
) -> None:
    with pytest.raises(NoSuchSchedule, match='no schedule "nightli"; did you mean "nightly"'):
        await Served(a_shop(), sqlite_url).serve("nightli")
    assert registered(store) == ["stopped"]
