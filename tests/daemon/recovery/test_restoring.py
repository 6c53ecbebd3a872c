"""A database is set back to a backup of it, taken with runs that wait and are at work, and prepared."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

import lease.statements
from daemon.audit import check
from daemon.audit.history import history, read_tables
from daemon.cli.ask import ask_url
from daemon.execution.claim import ClaimedRun
from daemon.jobs.reports import Outcome
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery.registry import ReplicaEntry, register
from daemon.recovery.restoring import StillAtWork, prepare_restored
from daemon.store.statements.schedule import database_time
from daemon.store.tables import replica, run, schedule
from lease import Grant, LeaseLost
from lease.database.dialects import clock, later, now
from lease.errors import LeaseError
from lease.schema import lease as leases
from tests.support.binaries import Binaries
from tests.support.completion import EndedJob, NotOurs, begun, finish_run
from tests.support.postgres import plain
from tests.support.store import Store, a_schedule
from tests.support.waiting import wait_until

SCHEDULES = (a_schedule("at-work"), a_schedule("waiting"), a_schedule("marked"), a_schedule("alone", overlap="allow"))


class Gate:
    """A resource elsewhere, which keeps the highest token that it has seen of each name (rule 12)."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def admits(self, grant: Grant) -> bool:
        admitted = grant.token >= self._seen.get(grant.name, 0)
        self._seen[grant.name] = max(grant.token, self._seen.get(grant.name, 0))
        return admitted


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(*SCHEDULES)
    return store


Backup = Callable[[], Callable[[], None]]
"""Takes a backup, and returns what sets the database back to it."""


@pytest.fixture
def backup(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Backup:
    url = make_url(store.url)
    if not store.sqlite:
        programs: Binaries = request.getfixturevalue("postgres_programs")
        return lambda: _by_pg_dump(programs, plain(store.url), tmp_path / "backup")
    return lambda: _by_sqlite(str(url.database), tmp_path / "backup.db")


def _by_pg_dump(programs: Binaries, url: str, file: Path) -> Callable[[], None]:
    def do(program: str, *arguments: str) -> None:
        subprocess.run([programs.folder / program, *arguments], check=True, capture_output=True)

    do("pg_dump", "--format=custom", f"--file={file}", url)
    return lambda: do("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={url}", str(file))


def _by_sqlite(database: str, file: Path) -> Callable[[], None]:
    def copy(from_: str, to: str) -> None:
        with closing(sqlite3.connect(from_)) as source, closing(sqlite3.connect(to)) as target:
            source.backup(target)

    copy(database, str(file))
    return lambda: copy(str(file), database)


def at_work(store: Store, name: str, holder: str = "h1") -> tuple[ClaimedRun, int]:
    (claimed,) = store.claim(name, holder=holder)
    return claimed, begun(store, claimed, "work")


def a_replica(store: Store, holder: str = "h1") -> None:
    store.do(register, ReplicaEntry(holder, "shop", "web-1", 4711, 1, None, None, "0.2.0", None))


def time_passes(store: Store) -> None:
    """Let the leases go stale, and the replicas not have been seen since."""
    store.change(leases, leases.c.holder.is_not(None), expires_at=later(clock(), -1.0))
    store.change(replica, seen_at=later(now(), -60.0))


def test_after_it_a_gate_admits_new_holders_and_zombies_are_fenced_off(store: Store, backup: Backup) -> None:
    gate = Gate()
    store.do(trigger, "shop", "at-work", requested_by="ada")
    set_back = backup()
    zombie, number = at_work(store, "at-work")
    assert gate.admits(zombie.grant)
    for _ in range(3):
        (new,) = store.do(lease.statements.grant, ["came later"], "h1", 15.0)
        store.do(lease.statements.release, new)
        assert gate.admits(new)
    set_back()
    time_passes(store)
    done = store.do(prepare_restored)
    assert done.token >= zombie.grant.token + 1
    again, _ = at_work(store, "at-work", "h2")
    (new,) = store.do(lease.statements.grant, ["came later"], "h2", 15.0)
    assert gate.admits(again.grant)
    assert gate.admits(new)
    assert not gate.admits(zombie.grant)
    with pytest.raises(LeaseLost):
        store.do(lease.statements.fence, zombie.grant)
    ended = EndedJob(number, Outcome("succeeded"))
    assert isinstance(store.do(finish_run, zombie, "succeeded", job=ended), NotOurs)


@pytest.mark.usefixtures("passing_seconds")
def test_the_same_backup_may_be_restored_again_and_again(store: Store, backup: Backup) -> None:
    set_back = backup()
    highest = 0
    for number in range(3):
        if number > 0:
            a_second_passes(store)
        set_back()
        store.do(prepare_restored)
        (known,) = store.do(lease.statements.grant, ["run/shop/at-work"], "h1", 15.0)
        (new,) = store.do(lease.statements.grant, ["new"], "h1", 15.0)
        assert min(known.token, new.token) > highest
        highest = max(known.token, new.token)
        assert highest < 2**53, "numbers in JSON are exact"


def a_second_passes(store: Store) -> None:
    """Tokens follow the seconds of the database's clock, which each database rounds in its own way."""
    then = store.do(database_time) + timedelta(seconds=1)
    wait_until(lambda: store.do(database_time) >= then, "a second has passed")


def test_runs_that_were_at_work_go_on_with_nothing_used_up(store: Store, backup: Backup) -> None:
    for name in ("at-work", "waiting", "marked"):
        store.do(trigger, "shop", name, requested_by="ada")
    a_replica(store)
    claimed, number = at_work(store, "at-work")
    marked, _ = at_work(store, "marked")
    store.do(cancel, marked.run_id, requested_by="ada")
    set_back = backup()
    store.do(finish_run, claimed, "succeeded", job=EndedJob(number, Outcome("succeeded")))
    set_back()
    time_passes(store)
    done = store.do(prepare_restored)
    assert (done.runs_put_back, done.runs_cancelled) == ((claimed.run_id,), (marked.run_id,))
    assert (done.replicas_marked_dead, len(done.grants_ended)) == (1, 2)
    row = store.run(claimed.run_id)
    assert (row.state, row.abandoned, row.token, row.holder) == ("pending", 0, None, None)
    assert {job.state for job in store.job_runs()} == {"stopped"}
    for name in ("at-work", "waiting"):
        again, number = at_work(store, name, "h2")
        store.do(finish_run, again, "succeeded", job=EndedJob(number, Outcome("succeeded")))
    assert {row.state for row in store.runs()} == {"succeeded", "cancelled"}
    tables = ask_url(store.url, lambda connection: read_tables(connection, None))
    assert check(history(tables).facts) == []


def test_the_numbers_of_runs_since_the_backup_are_not_given_again(store: Store, backup: Backup) -> None:
    """A manual run's number is in its idempotency key."""
    if store.sqlite:
        pytest.skip("SQLite numbers on from the highest that is there")
    before = store.do(trigger, "shop", "waiting", requested_by="ada")
    set_back = backup()
    since = [store.do(trigger, "shop", "alone", requested_by="ada") for _ in range(5)]
    set_back()
    store.do(prepare_restored)
    assert store.do(trigger, "shop", "alone", requested_by="ada") > max(before, *since)


def test_instants_since_the_backup_are_planned_again(store: Store, backup: Backup) -> None:
    store.shift(schedule, schedule.c.name == "waiting", planned_until=-7200.0, anchor=-7200.0, next_due=-3600.0)
    set_back = backup()
    store.plan(*SCHEDULES)
    accounted = [row.scheduled_for for row in store.runs(run.c.schedule == "waiting")]
    set_back()
    store.do(prepare_restored)
    store.plan(*SCHEDULES)
    assert [row.scheduled_for for row in store.runs(run.c.schedule == "waiting")] == accounted


def test_a_database_that_is_in_use_is_refused_unless_forced(store: Store) -> None:
    a_replica(store)
    store.do(trigger, "shop", "at-work", requested_by="ada")
    at_work(store, "at-work")
    before = store.everything()
    with pytest.raises(
        StillAtWork,
        match=r"in use, by 1 replica \(web-1:4711\) and 1 held lease \(run/shop/at-work by label of h1\): stop everything that uses it",
    ):
        store.do(prepare_restored)
    assert store.everything() == before
    assert store.do(prepare_restored, force=True).grants_ended == ("run/shop/at-work",)


def test_by_lifts_at_least_so_far_and_never_beyond_what_a_token_can_be(store: Store) -> None:
    assert store.do(prepare_restored, by=2**60).token == 2**60
    with pytest.raises(LeaseError, match=r"the tokens are at \d+, and 4611686018427387904 more would leave too few"):
        store.do(prepare_restored, by=2**62)
