"""An idle replica is woken by whatever it has to know, and costs nothing meanwhile (rule 24).

Where nothing wakes it, a replica rests for days here.
"""

import subprocess
import sys
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, select, update

import lease.statements
from daemon import Schedules
from daemon.definitions.application import Known
from daemon.execution.claim import claim
from daemon.jobs.processes.identity import identity
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import take_on_top
from daemon.service import check_in
from daemon.service.waking import idle_wait
from daemon.service.waking.hearing import FileChanges
from daemon.store import statements
from daemon.store.notices import ALIVE, notify
from daemon.store.tables import run, schedule
from daemon.store.views.history import read_run
from daemon.telemetry.facts import Note
from daemon.testing.replica import application_of
from lease import LeaseClient
from lease.database.dialects import later, now, seconds_until
from lease.errors import StoreUnavailable
from tests.daemon.service.living import living
from tests.support.entries import own_entry
from tests.support.manual import Gate, a_shop, add_schedule, failing, nothing, told, until
from tests.support.postgres import query

pytestmark = pytest.mark.anyio

ITS_LISTENER = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leased listener'"
"""Of this test's own database: others listen on the same server."""


@pytest.fixture(autouse=True)
def _no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life looks too, and would start what nothing else has."""
    monkeypatch.setattr(check_in, "TOUCH_EVERY", 1e9)
    monkeypatch.setattr(check_in, "TOUCH_WHEN_HEARING", 1e9)


async def test_a_run_that_a_program_requests_in_its_transaction_starts_after_the_commit(database_url: str) -> None:
    engine = create_engine(database_url)
    async with living(database_url, a_shop()) as replica:
        await replica.at_rest()
        with engine.begin() as connection:
            requested = Schedules("shop").trigger("nightly", connection=connection)
        await replica.becomes(requested.run_id, "succeeded")
    engine.dispose()


async def test_a_replica_wakes_at_the_moment_for_which_a_run_is_requested(database_url: str) -> None:
    async with living(database_url, a_shop()) as replica:
        await replica.at_rest()
        run_id = await replica.do(trigger, "shop", "nightly", requested_by="ann", at="200ms")
        await replica.becomes(run_id, "succeeded")
        row = await replica.do(statements.run.read, run_id)
        assert row is not None
        assert row.started_at >= row.scheduled_for


async def test_a_cancel_wakes_the_replica_that_has_the_run(database_url: str) -> None:
    gate = Gate()
    async with living(database_url, a_shop(gate.passed)) as replica:
        await replica.at_rest()
        run_id = await replica.trigger()
        await gate.entered()
        await replica.do(cancel, run_id, requested_by="bob")
        await replica.becomes(run_id, "cancelled")


@pytest.mark.parametrize("is_handed_back", [False, True])
async def test_what_a_draining_replica_leaves_starts_on_another(database_url: str, *, is_handed_back: bool) -> None:
    """The successor of the run that it ends, or the run that it hands back."""
    gates = Gate(), Gate()
    async with living(database_url, a_shop(gates[0].passed)) as first:
        await first.at_rest()
        run_id = await first.trigger()
        await gates[0].entered()
        async with living(database_url, a_shop(gates[1].passed)) as second:
            waiting = await second.trigger()
            await second.at_rest()
            if is_handed_back:
                first.replica.stop_at_once()
            else:
                first.replica.drain()
                gates[0].open()
            await gates[1].entered()
            assert await second.state(run_id if is_handed_back else waiting) == "running"


SLOTS = {"name": "api", "slots": 2}


@pytest.mark.on_both  # each kind tells of it in its own way
@pytest.mark.parametrize(
    ("lock", "other"),
    [
        ("api", {"lock": "api"}),
        (SLOTS, {"lock": SLOTS, "priority": "high"}),
        ("api", {"lock": SLOTS}),
        (SLOTS, {"lock": "api"}),
        ("api/2", {"lock": SLOTS}),
    ],
    ids=["a lock", "slots", "a lock and slots", "slots and a lock", "the lock of a slot"],
)
async def test_the_end_of_a_run_wakes_a_replica_of_another_application_that_waits_for_its_lock_or_slot(
    database_url: str, lock: Any, other: dict[str, Any]
) -> None:
    """Also where they say differently how many slots there are."""
    gate = Gate()
    mine, theirs = Schedules("shop"), Schedules("books")
    add_schedule(mine, "stock", gate.passed, lock=lock)
    add_schedule(theirs, "audit", **other)
    async with living(database_url, mine) as first, living(database_url, theirs) as second:
        await first.at_rest()
        elsewhere = "api" if lock == "api/2" else "api/2"
        await first.do(lease.statements.grant, [elsewhere], "another", 600.0, label=None)
        await first.becomes(await first.trigger("stock"), "running")
        run_id = await second.trigger("audit")
        await second.at_rest()
        assert await second.state(run_id) == "pending"
        gate.open()
        await second.becomes(run_id, "succeeded")


@pytest.mark.on_both  # who listens there does so on PostgreSQL alone
async def test_a_release_by_another_program_wakes_it_when_its_turn_comes(database_url: str) -> None:
    async with living(database_url, a_shop(lock="warehouse")) as replica, LeaseClient(database_url) as program:
        held = await program.acquire("warehouse")
        run_id = await replica.trigger()
        await replica.sees(lambda: replica.do(has_place, replica.context.client.holder), "it has a place in the queue")
        await replica.at_rest()
        await held.release()
        await replica.becomes(run_id, "succeeded")


def has_place(connection: Connection, holder: str) -> bool:
    (queue,) = lease.statements.read_queues(connection, ["warehouse"])
    return holder in {waiter.holder for waiter in queue.waiting}


async def test_new_definitions_wake_it(postgres_url: str) -> None:
    newer = a_shop()
    add_schedule(newer, "weekly")
    async with living(postgres_url, a_shop()) as replica:
        await replica.at_rest()
        await replica.do(take_on_top, application_of(newer, in_children=False), by="ann")
        await until(lambda: told(replica.facts, "superseded"), "it says that it is superseded")


async def test_what_happens_in_another_application_wakes_nobody(postgres_url: str) -> None:
    books = Schedules("books")
    add_schedule(books, "audit")
    async with living(postgres_url, a_shop()) as mine, living(postgres_url, books) as theirs:
        await mine.at_rest()
        await theirs.at_rest()
        theirs.rest.notices.clear()
        await mine.becomes(await mine.trigger(), "succeeded")
        await theirs.do(notify, "books", ALIVE)
        await until(lambda: theirs.rest.notices, "it has heard what was said last")
        assert theirs.rest.notices == [ALIVE]
        assert theirs.rest.is_sound


async def test_a_full_replica_does_not_look(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.service.waking.idle_wait._SPREAD", 0.0)
    gate = Gate()
    async with living(postgres_url, a_shop(gate.passed, overlap="allow"), concurrency=1) as replica:
        await replica.at_rest()
        await replica.trigger()
        await gate.entered()
        await replica.at_rest()
        replica.rest.notices.clear()
        reads = replica.counted.reads
        second = await replica.trigger()
        await until(lambda: replica.rest.notices, "it has heard")
        await replica.state(second)
        assert replica.rest.is_sound
        assert replica.counted.reads == reads
        gate.open()
        await replica.becomes(second, "succeeded")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no death can be proven")
async def test_the_death_of_a_replica_on_this_machine_wakes_it(
    database_url: str, process: "subprocess.Popen[bytes]"
) -> None:
    """Rule 18: its run goes on at once, and nobody has looked for it meanwhile."""
    async with living(database_url, a_shop()) as replica:
        await replica.at_rest()
        run_id = await replica.do(at_work_in, process.pid, replica.context.application.run_digests["nightly"])
        replica.replica._check_in.wake()
        await until(lambda: "gone" in replica.rest.deaths._watched, "it watches its neighbour")
        await replica.at_rest()
        assert await replica.state(run_id) == "running"
        process.kill()
        await replica.becomes(run_id, "succeeded")


def at_work_in(connection: Connection, pid: int, digest: str) -> int:
    """Write a run at work in a replica that is this process; return its id."""
    process = identity(pid)
    assert process is not None
    entry = replace(own_entry("gone", "shop"), pid=pid, start_time=process.start_time)
    registry.register(connection, entry)
    run_id = trigger(connection, "shop", "nightly", requested_by="a test")
    claim(connection, "shop", Known({"nightly": digest}), "gone", "a replica", 600.0, 1)
    return run_id


# What is to start in hours


HOURS = 2 * 3600.0


def three_ways_to_be_later() -> Schedules:
    """Return a schedule with a jitter of ten years, of which hardly any instant starts within two hours, one whose retry
    waits three hours, and one that is requested for a moment in three hours.
    """
    schedules = Schedules("shop")
    schedules.add("spread", every="1d", jitter="3650d").job(name="work", timeout="1m")(nothing)
    schedules.add("failing", on_request=True).job(name="work", retries=1, backoff="3h", timeout="1m")(failing)
    schedules.add("asked", on_request=True).job(name="work", timeout="1m")(nothing)
    return schedules


@pytest.mark.on_both
async def test_a_replica_pulls_nothing_forward_that_is_meant_to_start_in_hours(database_url: str) -> None:
    async with living(database_url, three_ways_to_be_later()) as replica:
        due = update(schedule).where(schedule.c.name == "spread")
        moved = {
            "anchor": later(now(), -86_401.0),
            "planned_until": later(now(), -10.0),
            "next_due": later(now(), -1.0),
        }
        await replica.do(lambda c: c.execute(due.values(**moved)))
        asked = await replica.do(trigger, "shop", "asked", requested_by="a test", at="3h")
        failed = await replica.trigger("failing")

        async def all_wait() -> bool:
            retried = await replica.counted.database.read(lambda c: read_run(c, failed))
            found = await replica.counted.database.read(lambda c: list(c.execute(select(run.c.id, run.c.schedule))))
            return len(found) == 3 and [job.state for job in retried.jobs] == ["failed"] and retried.state == "pending"

        await replica.sees(all_wait, "each waits for its start")
        for _ in range(2):  # a sign of life, and the tick after it
            replica.replica._check_in.wake()
            replica.rest.wake()
            await replica.at_rest(hearing=False)
        waits = select(run.c.id, run.c.state, seconds_until(run.c.available_at), seconds_until(run.c.place_at))
        rows = await replica.counted.database.read(lambda c: list(c.execute(waits)))
        assert {row.state for row in rows} == {"pending"}
        assert all((row[2] or row[3]) > HOURS for row in rows), rows
        assert asked in {row.id for row in rows}


# What is not heard


async def test_a_notice_that_is_lost_costs_a_rest_and_no_more(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_wait, "LONGEST", 0.05)
    monkeypatch.setattr("daemon.store.statements.requests.channel_of", lambda _: "nowhere")
    async with living(postgres_url, a_shop(), poll=0.01) as replica:
        await replica.at_rest()
        await replica.becomes(await replica.trigger(), "succeeded")
        assert replica.rest.notices == []


async def test_where_a_pooler_swallows_all_notices_it_looks_each_poll_and_says_so_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here nothing listens when it notifies itself."""
    monkeypatch.setattr("lease.database.listening.listener._PAUSE", 0.05)
    swallowed = "nowhere; UNLISTEN nowhere"
    monkeypatch.setattr("daemon.service.waking.notifications.channel_of", lambda _: swallowed)
    async with living(postgres_url, a_shop(), poll=0.02) as replica:
        await replica.becomes(await replica.trigger(), "succeeded")
        await until(lambda: told(replica.facts, "cannot listen"), "it says so")
        assert not replica.hearing.works
    (said,) = [fact.text for fact in replica.facts if isinstance(fact, Note) and "cannot listen" in fact.text]
    assert "this replica polls (see `poll`)" in said
    assert "as behind a pooler" in said


async def test_when_its_connection_is_ended_it_listens_over_another_and_looks_what_it_has_missed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lease.database.listening.listener._PAUSE", 0.01)

    async def refused(_: object) -> None:
        raise OSError("no connection is left")

    async with living(postgres_url, a_shop()) as replica:
        await replica.at_rest()
        with monkeypatch.context() as full:
            full.setattr("lease.database.listening.listener.Listener._connect", refused)
            query(postgres_url, f"SELECT pg_terminate_backend(pid) {ITS_LISTENER}")
            await until(lambda: not replica.hearing.works, "it notices")
            await replica.at_rest(hearing=False)
            run_id = await replica.trigger()
            assert await replica.state(run_id) == "pending"
        await replica.becomes(run_id, "succeeded")
        await replica.at_rest()
        await replica.becomes(await replica.trigger(), "succeeded")


async def test_where_its_sign_of_life_is_not_heard_it_listens_over_another_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection has gone silent."""
    monkeypatch.setattr("daemon.service.waking.hearing.ANSWERS_WITHIN", 0.05)
    monkeypatch.setattr("daemon.service.waking.hearing._RECENTLY", 0.0)
    async with living(postgres_url, a_shop()) as replica:
        await replica.at_rest()
        listening = f"SELECT pid {ITS_LISTENER}"
        before = query(postgres_url, listening)
        with monkeypatch.context() as unsaid:
            unsaid.setattr(check_in, "notify", lambda *_: None)

            def said() -> object:
                replica.replica._check_in.wake()  # the first may still hear the one before
                return told(replica.facts, "its own notifications do not arrive")

            await until(said, "it says so")
        await replica.at_rest()
        await until(lambda: query(postgres_url, listening) not in (before, []), "it has another connection")
        await until(lambda: told(replica.facts, "now listening for notifications in"), "it says so")
        await replica.becomes(await replica.trigger(), "succeeded")


async def test_a_sign_of_life_is_given_though_no_notice_can_be_sent(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's queue of notices is full, because a session that listens is in a transaction for hours."""
    monkeypatch.setattr("daemon.service.waking.hearing.ANSWERS_WITHIN", 0.05)
    monkeypatch.setattr("daemon.service.waking.hearing._RECENTLY", 0.0)
    tried = []

    def full(*_: object) -> None:
        tried.append(monotonic())
        raise StoreUnavailable("too many notifications in the NOTIFY queue")

    async with living(postgres_url, a_shop()) as replica:
        await replica.at_rest()
        monkeypatch.setattr(check_in, "notify", full)
        for _ in range(2):
            seen = query(postgres_url, "SELECT seen_at FROM replica")

            def is_seen(seen: object = seen) -> bool:
                replica.replica._check_in.wake()
                return query(postgres_url, "SELECT seen_at FROM replica") != seen

            await until(is_seen, "it is seen to live")
        assert len(tried) > 1, "it tries again"
        await until(lambda: told(replica.facts, "its own notifications do not arrive"), "it says so")


async def test_where_the_file_system_tells_of_no_change_it_looks_each_poll_and_says_so_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where it hears of changes again it says so too."""
    monkeypatch.setattr("daemon.service.waking.hearing.ANSWERS_WITHIN", 0.05)
    with monkeypatch.context() as silent:
        silent.setattr(FileChanges, "open", lambda _: None)
        async with living(sqlite_url, a_shop(), poll=0.02) as replica:
            await replica.becomes(await replica.trigger(), "succeeded")
            await until(lambda: told(replica.facts, "cannot watch"), "it says so")
            replica.replica._check_in.wake()
            await replica.becomes(await replica.trigger(), "succeeded")
            assert not replica.hearing.works
            assert len(told(replica.facts, "cannot watch")) == 1
            silent.undo()

            def said() -> object:
                replica.replica._check_in.wake()  # the first is not heard yet
                return told(replica.facts, "now watching")

            await until(said, "it says so")


# What it costs


async def test_an_idle_replica_that_hears_costs_one_transaction_per_sign_of_life(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.service.waking.hearing._RECENTLY", 0.0)
    async with living(postgres_url, a_shop(), poll=0.01) as replica:
        await replica.at_rest()
        monkeypatch.setattr(idle_wait, "LONGEST", 1e6)
        replica.rest.wake()
        await replica.at_rest()
        monkeypatch.setattr(check_in, "_SAVE_EVERY", 0.01)
        monkeypatch.setattr(check_in, "TOUCH_WHEN_HEARING", 0.02)
        replica.replica._check_in.wake()
        replica.counted.reads = replica.counted.writes = 0
        replica.rest.notices.clear()
        await until(lambda: len(replica.rest.notices) >= 10, "it has heard itself ten times")
        assert replica.counted.reads == 0
        assert abs(replica.counted.writes - len(replica.rest.notices)) <= 1, "one may be under way"
        assert set(replica.rest.notices) == {ALIVE}


async def test_an_idle_replica_on_sqlite_looks_once_more_when_it_hears_its_own_sign_of_life(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot tell its own commit from another at the same moment."""
    monkeypatch.setattr("daemon.service.waking.hearing._RECENTLY", 0.0)
    async with living(sqlite_url, a_shop()) as replica:
        await replica.at_rest()
        monkeypatch.setattr(check_in, "_SAVE_EVERY", 0.01)
        monkeypatch.setattr(check_in, "TOUCH_WHEN_HEARING", 0.02)
        replica.replica._check_in.wake()
        replica.counted.reads = replica.counted.writes = 0
        await until(lambda: replica.counted.writes >= 10, "ten signs of life")
        assert replica.counted.reads <= replica.counted.writes + 1
