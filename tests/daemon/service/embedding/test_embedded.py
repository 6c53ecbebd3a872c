"""A replica inside a program: it works and drains with a block, takes nothing that is the program's, and says what is wrong."""

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import AbstractAsyncContextManager
from importlib.machinery import ModuleSpec
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, select, update

import lease.statements
from daemon import AsyncRun, EmbeddedReplica, Schedules
from daemon.errors import DaemonError, DefinitionError, WouldSupersede
from daemon.operations.trigger import trigger
from daemon.service.environment import SettingsError
from daemon.service.replica import Replica
from daemon.service.settings import Settings
from daemon.store.migrations import TablesMissing
from daemon.store.tables import replica as replicas
from daemon.store.tables import run
from daemon.store.views.output import OutputReader
from daemon.telemetry import logs
from lease.database.dialects import clock, later
from lease.errors import LeaseError
from lease.schema import lease as leases
from tests.support.manual import Gate, a_shop, add_schedule, until
from tests.support.store import Store
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_settings_of_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("LEASED_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setattr(logs, "_is_set_up", False)  # perhaps by another test


def inside(
    schedules: Schedules, store: Store, grace: str = "20s", **more: Any
) -> AbstractAsyncContextManager[EmbeddedReplica]:
    return schedules.replica(store.url, poll="0.05s", grace=grace, **more)


def request(store: Store, schedule: str = "nightly") -> None:
    store.do(trigger, "shop", schedule, requested_by="a test")


def states(store: Store) -> list[str]:
    return [row.state for row in store.runs()]


def registered(store: Store) -> list[str]:
    return [row.state for row in store.rows(select(replicas).order_by(replicas.c.started_at))]


# It works


async def test_it_is_ready_in_the_block_and_runs_what_is_due_and_has_ended_after(store: Store) -> None:
    async with inside(a_shop(), store) as replica:
        assert (replica.is_ready, dict(replica.problems()), replica.failure) == (True, {}, None)
        assert replica.label.endswith(f":{os.getpid()}")
        assert registered(store) == ["running"]
        request(store)
        await until(lambda: states(store) == ["succeeded"], "the run is over")
    assert not replica.is_ready
    assert dict(replica.problems()) == {"ended": "the replica has ended"}
    assert registered(store) == ["stopped"]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("leased-replica")] == []


async def test_a_job_at_the_end_of_the_block_may_finish_and_nothing_more_is_claimed(store: Store) -> None:
    """Rule 19."""
    gate, schedules = Gate(), Schedules("shop")
    add_schedule(schedules, "nightly", gate.passed)
    add_schedule(schedules, "other")

    async def host() -> None:
        async with inside(schedules, store):
            request(store)
            await gate.entered()

    hosting = asyncio.create_task(host())
    await until(lambda: registered(store) == ["draining"], "the block has ended")
    request(store, "other")
    gate.open()
    await asyncio.wait_for(hosting, LIMIT)
    assert sorted((row.schedule, row.state) for row in store.runs()) == [("nightly", "succeeded"), ("other", "pending")]


async def test_an_error_in_the_block_drains_it_and_comes_out(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with inside(a_shop(), store):
            raise ZeroDivisionError
    assert registered(store) == ["stopped"]


async def test_a_cancelled_block_drains_and_a_cancellation_meanwhile_stops_the_jobs_at_once(store: Store) -> None:
    gate = Gate()

    async def host() -> None:
        async with inside(a_shop(gate.passed), store, grace="1h"):
            request(store)
            await asyncio.Event().wait()

    hosting = asyncio.create_task(host())
    await gate.entered()
    hosting.cancel()
    await until(lambda: registered(store) == ["draining"], "it drains")
    assert states(store) == ["running"]
    hosting.cancel()
    await asyncio.wait({hosting}, timeout=LIMIT)
    assert hosting.cancelled()
    assert (states(store), registered(store)) == (["pending"], ["stopped"])


async def test_a_scope_of_anyio_that_is_cancelled_leaves_jobs_their_grace(store: Store) -> None:
    gate = Gate()

    async def host() -> None:
        with anyio.CancelScope() as scope:
            async with inside(a_shop(gate.passed), store):
                request(store)
                await gate.entered()
                scope.cancel()
                await anyio.sleep_forever()

    hosting = asyncio.create_task(host())
    await until(lambda: registered(store) == ["draining"], "it drains")
    gate.open()
    await asyncio.wait_for(hosting, LIMIT)
    assert states(store) == ["succeeded"]


async def test_a_start_that_is_cancelled_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = threading.Event()

    async def never(*_: object) -> Any:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("daemon.service.parts.judge_of_time", never)

    async def host() -> None:
        async with inside(a_shop(), store):
            raise AssertionError("it never starts")

    hosting = asyncio.create_task(host())
    await until(reached.is_set, "it is on its way up")
    hosting.cancel()
    await asyncio.wait({hosting}, timeout=LIMIT)
    assert hosting.cancelled()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("leased-replica")] == []


async def test_the_same_schedules_can_be_at_work_again_and_others_beside_them(store: Store) -> None:
    schedules, others = a_shop(), Schedules("library")
    add_schedule(others, "returns")
    for number in (1, 2):
        async with inside(schedules, store), inside(others, store):
            request(store)
            store.do(trigger, "library", "returns", requested_by="a test")
            await until(lambda: states(store) == ["succeeded"] * 2 * number, "both are over")  # noqa: B023
    assert registered(store) == ["stopped"] * 4


@pytest.mark.usefixtures("passing_seconds")
async def test_a_program_that_blocks_its_loop_holds_up_no_run_and_costs_no_lease(store: Store) -> None:
    """Rule 8."""
    gate, schedules = Gate(), Schedules("shop")
    add_schedule(schedules, "nightly", gate.passed)
    add_schedule(schedules, "other")

    async with inside(schedules, store, lease_ttl="1.5s") as replica:
        request(store)
        await gate.entered()
        (held,) = store.runs()
        granted = store.lease(held.lease_name).renewed_at
        # From here on the loop is blocked: nothing is awaited.
        request(store, "other")
        wait_until(lambda: states(store) == ["running", "succeeded"], "another run is over")
        wait_until(lambda: (store.lease(held.lease_name).renewed_at - granted).total_seconds() > 2, "the ttl is over")
        gate.open()
        wait_until(lambda: states(store) == ["succeeded", "succeeded"], "it is over, too")
        assert replica.is_ready
    assert [row.attempt for row in store.runs()] == [1, 1]


def test_it_can_be_part_of_a_program_whose_loop_is_not_in_the_main_thread(store: Store) -> None:
    errors: list[BaseException] = []

    async def host() -> None:
        async with inside(a_shop(), store):
            request(store)
            await until(lambda: states(store) == ["succeeded"], "the run is over")

    def in_a_thread() -> None:
        try:
            asyncio.run(host())
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join(LIMIT)
    assert (errors, states(store)) == ([], ["succeeded"])


# It takes nothing that is the program's


async def test_signals_exits_logging_and_the_environment_stay_the_programs(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what its jobs print goes where the program prints: `leased logs` says so."""
    monkeypatch.setenv("LEASED_WEB_TOKEN", "of the program")

    def what_is_the_programs() -> tuple[Any, ...]:
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
        root = logging.getLogger()
        return handlers, list(root.handlers), root.level, dict(os.environ), sys.stdout, sys.stderr

    async def work(run: AsyncRun) -> None:
        sys.stdout.write("here")
        run.log.info("kept")

    before = what_is_the_programs()
    async with inside(a_shop(work), store):
        request(store)
        await until(lambda: states(store) == ["succeeded"], "the run is over")
        assert what_is_the_programs() == before
    assert what_is_the_programs() == before
    assert [part.text for part in store.do(OutputReader(1).read).parts] == ["kept\n"]
    assert capsys.readouterr().out == "here"


async def test_what_happens_is_in_the_programs_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "leased")
    async with inside(a_shop(), store):
        request(store)
        await until(lambda: states(store) == ["succeeded"], "the run is over")
    said = {record.name: record for record in caplog.records}
    assert set(said) == {"leased"}
    (ended,) = (record for record in caplog.records if record.message.startswith("run succeeded "))
    assert ended.message.startswith("run succeeded schedule=nightly run=1 token=1 took=")
    assert ended.__dict__["leased"] | {"took": ""} == {"schedule": "nightly", "run": 1, "token": 1, "took": ""}
    assert [record.message for record in caplog.records if " run=1 " in record.message] == [ended.message]


async def test_at_a_terminal_it_supersedes_nothing_that_living_replicas_run_but_by_a_take_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, as in production, it supersedes them: a deploy."""
    monkeypatch.setattr("daemon.service.embedded.at_a_terminal", lambda: True)
    production, edited = a_shop(), a_shop()
    add_schedule(edited, "comes")
    async with inside(production, store):
        with pytest.raises(WouldSupersede, match=r"1 replica on .* runs generation 1 .*added: comes.*take_over=True"):
            async with inside(edited, store):
                pytest.fail("it has begun")
        async with inside(a_shop(), store):  # the same definitions
            pass
        async with inside(edited, store, take_over=True) as replica:
            assert replica.is_ready
        monkeypatch.setattr("daemon.service.embedded.at_a_terminal", lambda: False)
        add_schedule(edited, "comes-too")
        async with inside(edited, store) as replica:
            assert replica.is_ready


# Work that does not end (rule 9)


def take_over(connection: Connection, name: str) -> None:
    """Grant a lease to another holder, in one transaction, so that no renewal comes between."""
    passed = update(leases).where(leases.c.name == name).values(expires_at=later(clock(), -1.0))
    connection.execute(passed)
    assert len(lease.statements.grant(connection, [name], "thief", 60.0, label="a thief")) == 1


@pytest.mark.on_both
async def test_work_that_outlives_its_lease_ends_the_replica_but_not_the_program(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "_exit", lambda status: pytest.fail(f"the program was ended with status {status}"))
    gate, other, schedules = Gate(), Gate(), Schedules("shop")

    async def stubborn(run: AsyncRun) -> None:
        passing = asyncio.ensure_future(gate.passed(run))
        while not passing.done():
            try:
                await asyncio.shield(passing)
            except asyncio.CancelledError:
                continue

    add_schedule(schedules, "nightly", stubborn)
    add_schedule(schedules, "other", other.passed)
    async with inside(schedules, store, lease_ttl="1.5s", kill_time="0.1s") as replica:
        request(store)
        request(store, "other")
        await gate.entered()
        await other.entered()
        (row,) = store.runs(run.c.schedule == "nightly")
        store.do(take_over, row.lease_name)
        await until(lambda: replica.failure, "it gives up")
        assert 'job "job1" of "nightly" did not end although its lease was lost' in str(replica.failure)
        assert not replica.is_ready
        assert replica.problems()["failure"] == replica.failure
        await until(
            lambda: [one.state for one in store.runs(run.c.schedule == "other")] == ["pending"],
            "the other is handed back",
        )
        await until(lambda: str(replica.failure) in caplog.text, "the program is told")
        gate.open()


async def test_a_replica_that_an_error_of_ours_has_ended_says_so_while_the_program_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 8: nothing ends quietly."""

    async def fail(_self: Replica) -> None:
        raise ZeroDivisionError("a bug")

    async def host() -> None:
        async with inside(a_shop(), store) as replica:
            monkeypatch.setattr(Replica, "tick", fail)
            await until(lambda: "ended" in replica.problems(), "it has ended")
            seen.append((replica.failure, dict(replica.problems()), caplog.text))

    seen: list[tuple[str | None, dict[str, str], str]] = []
    with pytest.raises(ZeroDivisionError):
        await host()
    ((failure, problems, told),) = seen
    assert failure is not None
    assert "ZeroDivisionError('a bug')" in failure
    assert problems["failure"] == failure
    assert failure in told


async def test_a_program_goes_on_where_stopping_takes_too_long(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    monkeypatch.setattr(Settings, "longest_stop", 0.05)
    async with inside(a_shop(gate.passed), store):
        request(store)
        await gate.entered()
    await until(lambda: "stopping took longer than 0.05s" in caplog.text, "the program is told")
    gate.open()
    await until(lambda: registered(store) == ["stopped"], "it has ended in the background")


# What cannot start


async def test_a_start_that_is_cancelled_waits_for_nobody_who_holds_up_the_tables(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, held = threading.Event(), threading.Event()

    def prepare(_url: object) -> None:
        entered.set()
        held.wait(LIMIT)

    async def host() -> None:
        async with inside(a_shop(), store):
            pytest.fail("it has not started")

    monkeypatch.setattr("daemon.store.migrations.prepare", prepare)
    hosting = asyncio.create_task(host())
    try:
        await until(entered.is_set, "it prepares the tables")
        hosting.cancel()
        await asyncio.wait({hosting}, timeout=LIMIT / 2)
        assert hosting.cancelled()
    finally:
        held.set()


async def refused(kind: type[BaseException], sentence: str, schedules: Schedules, url: str, **settings: Any) -> None:
    before = {*threading.enumerate()}
    with pytest.raises(kind, match=sentence):
        async with schedules.replica(url, **settings):
            raise AssertionError("it must not start")
    assert {thread for thread in threading.enumerate() if thread.name.startswith("leased-replica")} <= before


async def test_a_database_without_tables_is_refused(empty_postgres_url: str) -> None:
    await refused(TablesMissing, "leased db upgrade", a_shop(), empty_postgres_url)


async def test_the_tables_of_an_embedded_database_are_made(empty_sqlite_url: str) -> None:
    async with a_shop().replica(empty_sqlite_url) as replica:
        assert replica.is_ready


async def test_a_database_that_is_not_there_is_an_error() -> None:
    await refused(LeaseError, "cannot be used: connection failed", a_shop(), "postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"grace": "soon"}, "^grace: "),
        ({"concurency": 3}, '^concurency: there is no such setting; did you mean "concurrency"'),
        ({"lease_ttl": "2s", "give_up": "3s"}, "^lease_ttl and give_up: "),
        ({"web": "127.0.0.1:80"}, "^web: an embedded replica serves no HTTP"),
        ({"log_level": "debug"}, "^log_level: an embedded replica logs as your program does"),
        ({"database_url": "sqlite://"}, "^database_url: the URL comes first"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_refused(settings: dict[str, Any], sentence: str) -> None:
    await refused(SettingsError, sentence, a_shop(), "sqlite:///never.db", **settings)


@pytest.mark.parametrize("url", [None, "", "nonsense", "mysql://x/y"])
async def test_a_url_that_cannot_be_used_is_refused(url: Any) -> None:
    await refused(SettingsError, "^the URL of the database", a_shop(), url)


async def test_no_schedule_is_refused() -> None:
    await refused(DefinitionError, 'the application "shop" has no schedule', Schedules("shop"), "sqlite:///never.db")


async def test_a_function_that_no_child_can_find_is_refused() -> None:
    def in_a_child(run: object) -> None: ...

    await refused(
        DefinitionError,
        'schedule "nightly", job "job1": it runs in a child process, .* assign them at the top of a module',
        a_shop(in_a_child),
        "sqlite:///never.db",
    )


def test_another_kind_of_event_loop_is_refused() -> None:
    async def host() -> None:
        async with a_shop().replica("sqlite:///never.db"):
            raise AssertionError("it must not start")

    with pytest.raises(DaemonError, match="needs a running asyncio event loop"):
        anyio.run(host, backend="trio")


async def test_a_child_that_starts_its_program_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    child = ModuleSpec("daemon.jobs.child_main", None)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", child)
    await refused(
        DaemonError,
        'put the code that starts your program under: if __name__ == "__main__"',
        a_shop(),
        "sqlite:///n.db",
    )
