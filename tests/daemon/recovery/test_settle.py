"""Settling ends what is stale or proven dead, touches nothing live, and runs go on where they were (rules 16 and 18)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from sqlalchemy import Connection, select, text

import lease.statements
from daemon.execution.claim import ClaimedRun
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.recovery.registry import ReplicaEntry
from daemon.recovery.settle import SettledRun, Suspect, settle, settle_dead, suspects
from daemon.states import MOST_ABANDONED, LiveReplicaState
from daemon.store import statements
from daemon.store.tables import job_run, replica, run
from lease.model import Grant
from tests.support.completion import (
    EndedJob,
    NotOurs,
    begun,
    finish_job,
    finish_run,
    leave_word,
    record_keeper,
)
from tests.support.store import BLOCKED, Store, a_schedule, pending_runs
from tests.support.waiting import wait_until

pytestmark = pytest.mark.conformance

SUCCEEDED = Outcome("succeeded")


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily"), a_schedule("other"))
    return store


def claimed_run(store: Store, name: str = "daily", holder: str = "h1") -> ClaimedRun:
    store.do(trigger, "shop", name, requested_by="ada")
    (claimed,) = store.claim(name, holder=holder)
    return claimed


def registered(store: Store, holder: str = "h1", boot: str = "this boot", namespace: str = "pid:[1]") -> None:
    store.do(registry.register, an_entry(holder, boot, namespace))


def an_entry(holder: str, boot: str = "this boot", namespace: str = "pid:[1]") -> ReplicaEntry:
    return ReplicaEntry(holder, "shop", "a host", 4711, 99, boot, namespace, "0.1")


def states(store: Store) -> dict[str, str]:
    """Return the state of each replica that is known, by its holder."""
    return {row.holder: row.state for row in store.rows(select(replica))}


def test_a_stale_run_goes_on_at_the_first_job_that_is_not_done(store: Store) -> None:
    """Rule 16."""
    first = claimed_run(store)
    store.do(finish_job, first, begun(store, first, "one", 0), SUCCEEDED)
    begun(store, first, "two", 1)
    may_start = store.run(first.run_id).available_at
    store.go_stale(first.grant)
    renewed_at = store.lease(first.grant.name).renewed_at
    assert store.do(settle, "shop") == [SettledRun(first.run_id, "daily", first.grant, "abandoned")]
    assert [(row.job, row.state) for row in store.job_runs()] == [("one", "succeeded"), ("two", "abandoned")]
    row, held = store.run(first.run_id), store.lease(first.grant.name)
    assert (row.state, row.abandoned, row.token, row.holder) == ("pending", 1, None, None)
    # On SQLite, the wall clock of the one that settles it may be a day ahead: the run would wait for that day.
    assert row.available_at == may_start
    assert store.do(settle, "shop") == []
    assert (held.holder, held.token) == (None, 1)
    (second,) = store.claim("daily", holder="h2")
    assert second.grant == Grant(first.grant.name, 2, "h2")
    assert [(job, done.state, done.failures) for job, done in second.jobs.items()] == [
        ("one", "succeeded", 0),
        ("two", "abandoned", 0),
    ]
    # A takeover is measured by the silence before it, and its grant overwrites when the lease was last renewed.
    assert store.lease(first.grant.name).renewed_at > renewed_at
    assert [row.renewed_at for row in store.job_runs()] == [None, renewed_at]


def test_a_live_lease_is_never_settled(store: Store) -> None:
    """Rule 18."""
    claimed = claimed_run(store)
    begun(store, claimed)
    before = store.everything()
    assert store.do(settle, None) == []
    assert store.everything() == before


def test_replicas_that_settle_at_once_settle_each_run_once(store: Store) -> None:
    schedules = [a_schedule(f"s{number}") for number in range(20)]
    store.sync(*schedules)
    for one in schedules:
        claimed = claimed_run(store, one.name)
        begun(store, claimed)
        store.go_stale(claimed.grant)
    with ThreadPoolExecutor(4) as pool:
        settled = [one for each in pool.map(lambda _: store.do(settle, "shop"), range(4)) for one in each]
    settled += store.do(settle, "shop")
    assert sorted(one.run_id for one in settled) == sorted(row.id for row in store.runs())
    assert {row.abandoned for row in store.runs()} == {1}


def test_one_application_is_settled_without_the_other(store: Store) -> None:
    store.sync(a_schedule("daily"), application="office")
    here = claimed_run(store)
    store.do(trigger, "office", "daily", requested_by="ada")
    (there,) = store.claim("daily", application="office")
    for claimed in (here, there):
        store.go_stale(claimed.grant)
    assert [one.run_id for one in store.do(settle, "shop")] == [here.run_id]
    assert [one.run_id for one in store.do(settle, None)] == [there.run_id]


def test_a_run_whose_lease_another_schedule_took_is_settled(store: Store) -> None:
    """The name is a shared lock; its new holder is not touched."""
    one, other = a_schedule("one", lock="warehouse"), a_schedule("two", lock="warehouse")
    store.sync(one, other)
    first = claimed_run(store, "one")
    begun(store, first)
    pending_runs(store, other, 1)
    assert store.claim("two", holder="h2") == []
    store.go_stale(first.grant)
    (second,) = store.claim("two", holder="h2")
    assert second.grant == Grant("warehouse", first.grant.token + 1, "h2"), "a higher token (rule 5)"
    assert store.do(settle, "shop") == [SettledRun(first.run_id, "one", first.grant, "abandoned")]
    assert store.lease("warehouse").holder == "h2"
    assert store.run(second.run_id).state == "running"
    assert isinstance(store.do(finish_run, first, "succeeded"), NotOurs)


def test_after_three_abandoned_attempts_the_run_fails_with_that_reason(store: Store) -> None:
    """A job that kills its replica each time; its successor is due then."""
    first = claimed_run(store)
    successor = store.do(trigger, "shop", "daily", requested_by="ada")
    outcomes = []
    claimed = first
    for number in range(MOST_ABANDONED):
        begun(store, claimed)
        store.go_stale(claimed.grant)
        (settled,) = store.do(settle, "shop")
        outcomes.append(settled.outcome)
        if number < MOST_ABANDONED - 1:
            assert store.run(successor).available_at is None
            (claimed,) = store.claim("daily", holder=f"h{number + 2}")
            assert claimed.run_id == first.run_id
    assert outcomes == ["abandoned", "abandoned", "failed"]
    row = store.run(first.run_id)
    assert row.state == "failed"
    assert row.reason == (
        "3 attempts in a row were abandoned: "
        "each time the process died, or leased itself failed, before the job was done"
    )
    assert [one.run_id for one in store.claim("daily", holder="h9")] == [successor]


def test_a_job_that_succeeds_in_between_starts_the_count_anew(store: Store) -> None:
    """A long run on machines that come and go gets ahead with each of them."""
    claimed = claimed_run(store)
    for number in range(MOST_ABANDONED + 1):
        store.do(finish_job, claimed, begun(store, claimed, f"job{number}", number), SUCCEEDED)
        begun(store, claimed, f"job{number + 1}", number + 1)
        store.go_stale(claimed.grant)
        assert [one.outcome for one in store.do(settle, "shop")] == ["abandoned"]
        (claimed,) = store.claim("daily", holder=f"h{number + 2}")


@pytest.mark.parametrize("after_a_job", [False, True])
def test_an_attempt_whose_work_was_not_begun_uses_up_nothing(store: Store, after_a_job: bool) -> None:
    """Rule 16: it cannot have ended its replica."""
    claimed = claimed_run(store)
    if after_a_job:
        store.do(finish_job, claimed, begun(store, claimed), SUCCEEDED)
    store.go_stale(claimed.grant)
    assert [one.outcome for one in store.do(settle, "shop")] == ["stopped"]
    assert (store.run(claimed.run_id).state, store.run(claimed.run_id).abandoned) == ("pending", 0)
    assert store.schedules()["daily"].abandoned == 0


def test_an_error_of_leased_itself_counts_before_any_work_was_begun(store: Store) -> None:
    """It would come again without end."""
    claimed = claimed_run(store)
    assert [one.outcome for one in store.do(settle_dead, [claimed.grant], by_bug=True)] == ["abandoned"]


def test_abandoned_attempts_are_counted_for_the_schedule_until_a_run_of_it_succeeds(store: Store) -> None:
    """Rule 16: its next run is as likely to end its replica."""
    for number in range(2):
        claimed = claimed_run(store)
        begun(store, claimed)
        store.go_stale(claimed.grant)
        store.do(settle, "shop")
        assert store.schedules()["daily"].abandoned == number + 1
        assert store.run(claimed.run_id).abandoned == 1
        (claimed,) = store.claim("daily", holder="h2")
        if number == 0:
            store.do(finish_run, claimed, "failed", "an error of its own")
        else:
            store.do(finish_run, claimed, "succeeded")
    assert {name: row.abandoned for name, row in store.schedules().items()} == {"daily": 0, "other": 0}


def test_a_replica_that_recorded_that_it_ends_uses_up_nothing_and_its_word_is_kept(store: Store) -> None:
    """Rules 9 and 25: of the one that it could not end it has said how it has failed."""
    registered(store)
    for stale in (False, True):
        words = {"daily": None, "other": "it failed for good"}
        claimed = {name: claimed_run(store, name) for name in words}
        jobs = {name: begun(store, one) for name, one in claimed.items()}
        ended = EndedJob(jobs["other"], Outcome("failed", "its time was over"))
        store.do(leave_word, claimed["other"], ended, wait=0.0, reason=words["other"], not_started=[("two", 1)])
        store.do(registry.mark_stopped, "h1")
        grants = [one.grant for one in claimed.values()]
        if stale:
            for grant in grants:
                store.go_stale(grant)
        settled = store.do(settle, "shop") if stale else store.do(settle_dead, grants)
        assert sorted((one.schedule, one.outcome) for one in settled) == [("daily", "stopped"), ("other", "failed")]
        row = store.run(claimed["other"].run_id)
        assert (row.state, row.reason, row.abandoned) == ("failed", "it failed for good", 0)
        assert [(row.job, row.state, row.error) for row in store.job_runs()[-3:]] == [
            ("one", "stopped", None),
            ("one", "failed", "its time was over"),
            ("two", "not started", None),
        ]
        (again,) = store.claim("daily", holder="h2")
        store.do(finish_run, again, "succeeded")


@pytest.mark.parametrize("late", ["running", "draining"])
def test_a_sign_of_life_that_comes_late_does_not_take_back_that_a_replica_has_stopped(
    store: Store, late: LiveReplicaState
) -> None:
    """Rule 16: it would be taken for dead, and each run at work there use up an attempt."""
    registered(store)
    claimed = claimed_run(store)
    begun(store, claimed)
    store.do(registry.mark_stopped, "h1")
    assert store.do(registry.touch, "h1", late) is True
    assert states(store) == {"h1": "stopped"}
    assert [one.outcome for one in store.do(settle_dead, [claimed.grant])] == ["stopped"]


def test_of_one_that_may_be_tried_again_the_word_is_when(store: Store) -> None:
    registered(store)
    claimed = claimed_run(store)
    ended = EndedJob(begun(store, claimed), Outcome("failed", "its time was over"))
    store.do(leave_word, claimed, ended, wait=60.0, reason=None, not_started=[])
    store.do(registry.mark_stopped, "h1")
    assert [one.outcome for one in store.do(settle_dead, [claimed.grant])] == ["stopped"]
    assert store.claim("daily", holder="h2") == []
    store.shift(run, available_at=-1.0)
    (again,) = store.claim("daily", holder="h2")
    assert [(done.state, done.failures) for done in again.jobs.values()] == [("failed", 1)]


def test_a_word_under_a_grant_that_has_ended_changes_nothing(store: Store) -> None:
    """Rule 10."""
    claimed = claimed_run(store)
    ended = EndedJob(begun(store, claimed), Outcome("failed", "its time was over"))
    store.go_stale(claimed.grant)
    store.do(settle, "shop")
    before = store.everything()
    assert isinstance(store.do(leave_word, claimed, ended, wait=0.0, reason="why", not_started=[]), NotOurs)
    assert store.everything() == before


@pytest.mark.parametrize(("seen", "outcome"), [("after", "stopped"), ("before", "abandoned")])
def test_a_holder_that_was_seen_after_its_lease_had_gone_stale_uses_up_nothing(
    store: Store, seen: str, outcome: str
) -> None:
    """Rule 16: it lost its lease and did not die, as one that was last seen before must have."""
    registered(store)
    claimed = claimed_run(store)
    begun(store, claimed)
    store.shift(replica, seen_at=-20.0)
    store.go_stale(claimed.grant)
    if seen == "after":
        store.do(registry.touch, "h1")
    assert [one.outcome for one in store.do(settle, "shop")] == [outcome]
    assert [row.state for row in store.job_runs()] == [outcome]
    assert store.run(claimed.run_id).abandoned == (outcome == "abandoned")


def test_a_lease_that_its_own_holder_released_after_a_loss_uses_up_nothing(store: Store) -> None:
    """Rule 6: what it has declared lost is released at once."""
    claimed = claimed_run(store)
    begun(store, claimed)
    store.do(lease.statements.release, claimed.grant)
    assert [one.outcome for one in store.do(settle, "shop")] == ["stopped"]
    assert [one.run_id for one in store.claim("daily", holder="h2")] == [claimed.run_id]


def test_a_holder_that_was_seen_after_another_was_granted_its_lease_uses_up_nothing(store: Store) -> None:
    registered(store)
    claimed = claimed_run(store)
    store.shift(replica, seen_at=-20.0)
    store.steal(claimed.grant)
    store.do(registry.touch, "h1")
    assert [one.outcome for one in store.do(settle, "shop")] == ["stopped"]


def test_settling_passes_over_what_somebody_works_on(postgres: Store) -> None:
    """It waits for nothing: neither for a fenced transaction nor for a schedule that is being planned."""
    postgres.sync(a_schedule("fenced"), a_schedule("planned"), a_schedule("free"))
    claimed = {name: claimed_run(postgres, name) for name in ("fenced", "planned", "free")}
    for one in claimed.values():
        postgres.go_stale(one.grant)
    with postgres.begin() as connection:
        lease.statements.fence(connection, claimed["fenced"].grant)
        statements.schedule.lock(connection, "shop", "planned")
        assert [one.schedule for one in postgres.do(settle, "shop")] == ["free"]
    assert sorted(one.schedule for one in postgres.do(settle, "shop")) == ["fenced", "planned"]


def test_of_a_settlement_and_a_completion_at_once_one_wins_whole(postgres: Store) -> None:
    postgres.sync(a_schedule("daily"))
    for _ in range(20):
        claimed = claimed_run(postgres)
        job = begun(postgres, claimed)
        postgres.go_stale(claimed.grant)
        with ThreadPoolExecutor(2) as pool:
            ending = pool.submit(postgres.do, finish_run, claimed, "succeeded", job=EndedJob(job, SUCCEEDED))
            settling = pool.submit(postgres.do, settle, "shop")
            lost = isinstance(ending.result(), NotOurs)
        assert len(settling.result()) == lost
        assert postgres.run(claimed.run_id).state == ("pending" if lost else "succeeded")
        assert postgres.job_runs()[-1].state == ("abandoned" if lost else "succeeded")
        for one in postgres.claim("daily"):
            postgres.do(finish_run, one, "succeeded")


def test_attempts_are_locked_in_their_order_however_they_are_found(postgres: Store) -> None:
    """Rule 15: their holder saves progress, and why it lost them, of all at once; one of both would be refused."""
    names = [f"s{number}" for number in range(20)]
    postgres.sync(*(a_schedule(name) for name in names))
    held = [claimed_run(postgres, name) for name in names]
    jobs = [begun(postgres, claimed) for claimed in reversed(held)]
    for claimed in held:
        postgres.go_stale(claimed.grant)

    def settled(connection: Connection) -> list[SettledRun]:
        for way in ("seqscan", "hashjoin", "mergejoin"):  # as with a long history
            connection.execute(text(f"SET LOCAL enable_{way} = off"))
        return settle(connection)

    def waiting() -> bool:
        blocked = text(BLOCKED)
        return bool(postgres.do(lambda connection: connection.execute(blocked).scalar_one()))

    with ThreadPoolExecutor(1) as pool:
        with postgres.begin() as connection:
            connection.execute(select(job_run.c.id).where(job_run.c.id == jobs[0]).with_for_update())
            settling = pool.submit(postgres.do, settled)
            wait_until(waiting, "the settlement waits for the first attempt")
            free = select(job_run.c.id).where(job_run.c.id != jobs[0]).with_for_update(skip_locked=True)
            assert len(postgres.rows(free)) == len(jobs) - 1
        assert len(settling.result()) == len(jobs)


def test_suspects_are_replicas_of_this_boot_and_namespace_with_what_they_hold(store: Store) -> None:
    """Rule 18."""
    registered(store, "h1")
    registered(store, "another boot", boot="that boot")
    registered(store, "another namespace", namespace="pid:[2]")
    store.sync(*(a_schedule(name) for name in ("daily", "other", "third", "fourth")))
    first, second = claimed_run(store, "daily"), claimed_run(store, "other")
    claimed_run(store, "third", "another boot")
    claimed_run(store, "fourth", "another namespace")
    store.do(record_keeper, first, begun(store, first), ProcessIdentity(5000, 7))
    store.do(record_keeper, second, begun(store, second), ProcessIdentity(5001, 8))
    assert store.do(suspects, "shop", "this boot", "pid:[1]") == [
        Suspect(
            "h1",
            ProcessIdentity(4711, 99),
            (first.grant, second.grant),
            (ProcessIdentity(5000, 7), ProcessIdentity(5001, 8)),
        )
    ]
    assert store.do(suspects, "office", "this boot", "pid:[1]") == []


def test_the_keeper_of_a_job_that_is_over_is_nobodys_suspect(store: Store) -> None:
    registered(store)
    claimed = claimed_run(store)
    job = begun(store, claimed)
    store.do(record_keeper, claimed, job, ProcessIdentity(5000, 7))
    store.do(finish_job, claimed, job, SUCCEEDED)
    (suspect,) = store.do(suspects, "shop", "this boot", "pid:[1]")
    assert suspect.keepers == ()


def test_a_run_of_a_holder_that_is_proven_dead_goes_on_before_its_lease_is_stale(store: Store) -> None:
    """Rule 18."""
    registered(store)
    dead, alive = claimed_run(store, "daily"), claimed_run(store, "other", "h2")
    begun(store, dead)
    assert store.do(settle_dead, [dead.grant]) == [SettledRun(dead.run_id, "daily", dead.grant, "abandoned")]
    assert store.run(alive.run_id).state == "running"
    assert [row.state for row in store.job_runs()] == ["abandoned"]
    assert [one.run_id for one in store.claim("daily", holder="h2")] == [dead.run_id]
    assert store.do(settle_dead, [dead.grant]) == []
    assert store.do(settle_dead, []) == []


def test_what_was_claimed_again_meanwhile_is_not_touched(store: Store) -> None:
    """A grant that is proven dead is not the one after it."""
    first = claimed_run(store)
    store.go_stale(first.grant)
    store.do(settle, "shop")
    (second,) = store.claim("daily", holder="h2")
    assert store.do(settle_dead, [first.grant]) == []
    assert (store.run(second.run_id).state, store.run(second.run_id).token) == ("running", 2)


def test_a_finding_that_is_out_of_date_ends_no_later_attempt(store: Store) -> None:
    first = claimed_run(store)
    begun(store, first)
    store.go_stale(first.grant)
    found = store.do(statements.stranded.find, "shop")
    store.do(settle, "shop")
    (second,) = store.claim("daily", holder="h2")
    begun(store, second)
    before = store.everything()
    assert store.do(statements.stranded.abandon_runs, found, 3, "why", "wait") == {}
    assert store.do(statements.stranded.stop_runs, found) == {}
    store.do(statements.stranded.end_jobs, found, "abandoned")
    assert store.everything() == before


def test_replicas_come_are_seen_and_go(store: Store) -> None:
    registered(store, "h1")
    registered(store, "h1")
    registered(store, "h2")
    store.shift(replica, seen_at=-20.0)
    assert store.do(registry.touch, "h1", "draining") is True
    assert store.do(registry.touch, "nobody") is False
    assert store.do(registry.mark_stopped, "h2") is True
    assert states(store) == {"h1": "draining", "h2": "stopped"}
    (first,) = store.rows(select(replica).where(replica.c.holder == "h1"))
    assert first._mapping.items() >= asdict(an_entry("h1")).items()
    assert first.seen_at >= first.started_at


def test_a_replica_that_is_long_unseen_is_marked_as_dead_and_forgotten_after_a_day(store: Store) -> None:
    for holder in ("alive", "unseen", "gone"):
        registered(store, holder)
    store.shift(replica, replica.c.holder == "unseen", seen_at=-70.0)
    store.shift(replica, replica.c.holder == "gone", seen_at=-90_000.0)
    registered(store, "starting")
    assert states(store) == {"alive": "running", "starting": "running", "unseen": "dead"}
    assert store.do(registry.touch, "unseen") is True
    assert states(store)["unseen"] == "running"


def test_a_dead_replicas_row_says_nothing_about_its_leases(store: Store) -> None:
    """Rule 18: nothing else is ever released by another than its holder."""
    registered(store)
    claimed = claimed_run(store)
    store.shift(replica, seen_at=-90_000.0)
    registered(store, "starting")
    assert store.do(settle, "shop") == []
    assert store.runs(run.c.state == "running")[0].id == claimed.run_id
