"""Locks with several slots, and priorities: how many are at work at once, and which start first (rules 4 and 14); replicas and
other programs that use one lock starve each other in neither direction.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update

import lease.statements
from daemon.definitions.schedule import Schedule
from daemon.execution.claim import ClaimedRun, sought
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle
from daemon.scheduling.deploys.rollout import adopt
from daemon.service.waking.idle_wait import read_agenda
from daemon.states import LEADS
from daemon.store import statements
from daemon.store.tables import run
from daemon.testing import ManualReplica, ManualStore
from lease import Grant
from lease.model import mark_of
from lease.schema import lease as leases
from tests.support.completion import finish_run, retry_run
from tests.support.databases import disconnect
from tests.support.manual import ONE_O_CLOCK, Gate, a_shop, add_schedule
from tests.support.store import TTL, Store, a_schedule, an_application, an_at, pending_runs

THREE = {"name": "api", "slots": 3}


def waiting(store: Store, count: int, name: str = "thumbnail", **settings: Any) -> Schedule:
    """Sync a schedule whose runs may be at work beside one another, and let ``count`` of them wait."""
    made = a_schedule(name, **{"overlap": "allow", **settings})
    store.sync(made)
    pending_runs(store, made, count)
    if made.lock is None:
        ids = [row.id for row in store.runs(run.c.schedule == name)]
        store.do(statements.run.name_own_leases, ids, f"run/shop/{name}")
    return made


def numbers(claimed: list[ClaimedRun]) -> list[int]:
    return [one.run_id for one in claimed]


def under(claimed: list[ClaimedRun]) -> list[str]:
    return sorted(one.grant.name for one in claimed)


def test_a_lock_with_slots_has_as_many_runs_at_work_whoever_claims(store: Store) -> None:
    """However many claim at once: each slot is a lease, and has a token of its own (rule 4)."""
    waiting(store, 20, lock=THREE)
    with ThreadPoolExecutor(6) as pool:
        of_each = list(pool.map(lambda n: store.claim("thumbnail", holder=f"h{n}"), range(6)))
    of_each.append(store.claim("thumbnail", holder="h9"))  # the slots that two had locked at once, and neither got
    claimed = [one for of_one in of_each for one in of_one]
    assert under(claimed) == ["api", "api/2", "api/3"]
    assert len(set(numbers(claimed))) == 3
    assert Counter(row.state for row in store.runs()) == {"running": 3, "pending": 17}
    assert store.claim("thumbnail", holder="late") == []


def test_a_slot_passes_on_with_the_next_token_when_its_run_ends_is_put_back_or_lost(store: Store) -> None:
    waiting(store, 6, lock=THREE)
    ended, put_back, lost = store.claim("thumbnail")
    store.do(finish_run, ended, "succeeded", None)
    (next_one,) = store.claim("thumbnail", holder="h2")
    assert (next_one.grant.name, next_one.grant.token) == (ended.grant.name, 2)
    store.do(retry_run, put_back, 600.0)
    (another,) = store.claim("thumbnail", holder="h3")
    assert (another.grant.name, another.run_id) != (put_back.grant.name, put_back.run_id)
    assert another.grant.name == put_back.grant.name, "a run that waits for its retry holds no slot"
    store.steal(lost.grant)
    assert store.claim("thumbnail", holder="h4") == [], "the thief has that slot"


def test_a_run_that_was_under_one_slot_goes_on_under_another(store: Store) -> None:
    waiting(store, 1, lock=THREE)
    (first,) = store.claim("thumbnail")
    store.do(retry_run, first, 0.0)
    store.do(lease.statements.grant, [first.grant.name], "somebody else", 60.0, label=None)
    (second,) = store.claim("thumbnail", holder="h2")
    assert (second.run_id, second.attempt) == (first.run_id, 2)
    assert second.grant.name != first.grant.name
    assert store.run(second.run_id).lease_name == second.grant.name


def test_whoever_goes_on_under_another_slot_has_a_higher_token(store: Store) -> None:
    """A store that refuses lower tokens than it has seen would else refuse the next attempt, and take the zombie (rule 5)."""
    waiting(store, 1, lock={"name": "api", "slots": 2})
    for _ in range(5):  # one slot is used much more often than the other
        store.do(lease.statements.release, *store.do(lease.statements.grant, ["api"], "h9", 60.0))
    (first,) = claimed_under(store, "api")
    store.do(retry_run, first, 0.0)
    store.do(lease.statements.grant, ["api"], "h9", 60.0)
    (second,) = store.claim("thumbnail", holder="h2")
    assert (second.run_id, second.grant.name) == (first.run_id, "api/2")
    assert second.grant.token > first.grant.token


def test_a_slot_that_a_lock_has_no_more_counts_too(store: Store) -> None:
    """Of a run that was under it, the zombie would else have the same token (rules 5 and 12)."""
    waiting(store, 1, lock={"name": "api", "slots": 2})
    for _ in range(5):
        store.do(lease.statements.release, *store.do(lease.statements.grant, ["api/3"], "h9", 60.0))
    (claimed,) = store.claim("thumbnail")
    assert claimed.grant.token == 6


def test_a_slot_for_which_somebody_waited_who_is_gone_is_granted_all_the_same(store: Store) -> None:
    waiting(store, 2, lock={"name": "api", "slots": 2})
    store.change(leases, waiters='[["gone", "", 0.0]]')
    assert sorted(one.grant.token for one in store.claim("thumbnail")) == [1, 2], "each was granted by itself"


def claimed_under(store: Store, name: str) -> list[ClaimedRun]:
    """Claim the run until it is under the lease of this name: which slot it gets is left to chance."""
    while (claimed := store.claim("thumbnail"))[0].grant.name != name:
        store.do(retry_run, claimed[0], 0.0)
    return claimed


@pytest.mark.parametrize("slots", [1, 3])
def test_a_run_whose_slot_was_broken_goes_on_when_its_work_has_ended(store: Store, slots: int) -> None:
    """Also while other slots are free: it would be at work twice (rule 23)."""
    waiting(store, 1, lock={"name": "api", "slots": slots}, overlap="queue")
    (first,) = store.claim("thumbnail")
    store.do(lease.statements.break_grant, first.grant, by="ann", reason="it hangs")
    agenda = store.do(read_agenda, "shop", store.known("thumbnail"))
    assert agenda.until_stale is not None
    assert 0 < agenda.until_stale <= 15.0
    assert store.do(settle, "shop") == []
    assert store.claim("thumbnail", holder="h2") == []
    store.do(lease.statements.release, mark_of(first.grant))  # as its holder does when its work has ended
    assert store.do(read_agenda, "shop", store.known("thumbnail")).stranded
    assert [one.run_id for one in store.do(settle, "shop")] == [first.run_id]
    assert numbers(store.claim("thumbnail", holder="h2")) == [first.run_id]


def test_schedules_share_the_slots_and_each_still_waits_for_itself(store: Store) -> None:
    made = [an_at(name, overlap="queue", lock={"name": "api", "slots": 2}) for name in ("a", "b", "c")]
    store.sync(*made)
    store.plan(*made)
    for name in ("a", "b", "c"):
        store.do(trigger, "shop", name, requested_by="a test")
    claimed = store.claim("a", "b", "c")
    assert len({one.schedule for one in claimed}) == len(claimed) == 2
    store.do(finish_run, claimed[0], "succeeded", None)
    (third,) = store.claim("a", "b", "c", holder="h2")
    assert third.schedule not in {one.schedule for one in claimed}
    store.do(finish_run, third, "succeeded", None)
    (again,) = store.claim("a", "b", "c", holder="h3")
    assert again.schedule != claimed[1].schedule, "that one is still at work"


def test_what_has_waited_longest_starts_first_in_any_queue(store: Store) -> None:
    """High priority counts as an hour more, low as an hour less; so each has its turn (aging)."""
    hour = LEADS["high"].total_seconds()
    ages = {"high": -1.0, "fresh": -hour + 60.0, "normal": -hour - 60.0, "low": -2 * hour - 120.0}
    for name, age in ages.items():
        waiting(store, 1, name, priority=name if name in {"high", "low"} else "normal")
        store.shift(run, run.c.schedule == name, available_at=age)
    order = [store.claim(*ages, holder=f"h{number}", limit=1)[0].schedule for number in range(4)]
    assert order == ["low", "normal", "high", "fresh"]
    assert LEADS["high"] == timedelta(hours=1), "as the reference says"


def test_priorities_share_the_slots_of_a_lock(store: Store) -> None:
    for priority in ("low", "normal", "high"):
        waiting(store, 2, priority, priority=priority, lock=THREE)
    claimed = store.claim("low", "normal", "high")
    assert Counter(one.schedule for one in claimed) == {"high": 2, "normal": 1}


def test_a_full_lock_holds_up_nobody_else(store: Store) -> None:
    waiting(store, 5, lock=THREE)
    waiting(store, 2, "other")
    assert Counter(one.schedule for one in store.claim("thumbnail", "other", limit=4)) == {"thumbnail": 3, "other": 1}
    assert Counter(one.schedule for one in store.claim("thumbnail", "other", limit=4, holder="h2")) == {"other": 1}


def test_the_look_says_when_a_slot_may_be_free(store: Store) -> None:
    waiting(store, 4, lock=THREE)

    def look() -> tuple[bool, float | None]:
        agenda = store.do(read_agenda, "shop", store.known("thumbnail"))
        return agenda.available, agenda.until_available

    assert look() == (True, 0.0)
    claimed = store.claim("thumbnail")
    available, until = look()
    assert not available
    assert until is not None
    assert 0 < until <= 15.0, "until the first of their leases would go stale"
    store.do(finish_run, claimed[0], "succeeded", None)
    assert look() == (True, 0.0)
    store.shift(run, run.c.state == "pending", available_at=40.0)
    available, until = look()
    assert not available
    assert until is not None
    assert 30 < until <= 40


@pytest.mark.parametrize("priority", ["high", "low"])
def test_the_look_says_so_of_a_priority_too(store: Store, priority: str) -> None:
    made = a_schedule("daily", priority=priority)
    store.sync(made)
    pending_runs(store, made, 2)
    known = store.known("daily")
    assert store.do(read_agenda, "shop", known).available
    (claimed,) = store.claim("daily")
    blocked = store.do(read_agenda, "shop", known)
    assert (blocked.available, blocked.running, blocked.pending) == (False, True, True)
    assert blocked.until_available is not None
    assert 0 < blocked.until_available <= 15.0
    store.do(finish_run, claimed, "succeeded", None)
    assert store.do(read_agenda, "shop", known).available


def test_runs_of_strange_definitions_are_left_in_every_queue(store: Store) -> None:
    """Rule 22."""
    waiting(store, 2, lock=THREE)
    known = store.known("thumbnail")
    waiting(store, 0, lock=THREE, jobs=("another",))
    made_since = store.known("thumbnail")
    assert not store.do(read_agenda, "shop", made_since).available
    assert store.claim("thumbnail") == []
    assert store.do(read_agenda, "shop", known).available


def test_adopted_runs_wait_as_their_new_definition_says(store: Store) -> None:
    """Rule 22: where only slots kept them apart, runs that could all have started wait for one another."""
    waiting(store, 3)
    changed = a_schedule("thumbnail", overlap="queue", lock=THREE, priority="high")
    store.sync(changed)
    gone = {row.digest for row in store.runs()}
    store.do(adopt, an_application(changed), "h1", gone)
    assert {(row.lease_name, row.queue) for row in store.runs()} == {("api", "high api")}
    (claimed,) = store.claim("thumbnail")
    store.do(finish_run, claimed, "succeeded", None)
    assert len(store.claim("thumbnail")) == 1


@pytest.mark.parametrize("lock", [None, THREE])
def test_an_adopted_run_starts_no_sooner_than_it_was_to(store: Store, lock: Any) -> None:
    """After its retry's wait, or its jitter: a deploy shortens neither. The others wait for it."""
    waiting(store, 3, overlap="queue", lock=lock)
    (claimed,) = store.claim("thumbnail", limit=1)
    store.do(retry_run, claimed, 3600.0)
    starts_at = store.run(claimed.run_id).available_at
    changed = a_schedule("thumbnail", overlap="queue", lock=lock, jobs=("another",))
    store.sync(changed)
    store.do(adopt, an_application(changed), "h1", {row.digest for row in store.runs()})
    assert [row.available_at for row in store.runs()] == [starts_at, None, None]


def test_a_run_that_an_older_version_adopts_waits_where_its_definition_is_looked_for(store: Store) -> None:
    """A roll back to definitions without slots, by a version that knows no queues, and then this one with the same."""
    waiting(store, 1, lock=THREE)
    back = a_schedule("thumbnail", overlap="allow")
    store.sync(back)
    (row,) = store.runs()
    adopted = update(run).values(digest=back.run_digest(), adopted_from=row.digest)
    renamed = update(run).values(lease_name=f"run/shop/thumbnail/{row.id}")
    for statement in (adopted, renamed):  # as the older version does
        store.do(lambda connection, statement: connection.execute(statement), statement)
    assert store.do(read_agenda, "shop", store.known("thumbnail")).available
    assert numbers(store.claim("thumbnail")) == [row.id]


@pytest.mark.parametrize("lock", [None, THREE])
def test_a_claim_reads_as_little_however_many_wait(postgres_url: str, lock: Any) -> None:
    """Rule 14: flat as the queue grows, also behind slots that are all taken."""
    # A connection tells the server what it has read when it is next used, seconds later: with more than one, as earlier
    # tests may leave them, what is counted is what some of them read, at any time.
    disconnect(postgres_url)
    with Store(postgres_url) as store:
        waiting(store, 3, "now")
        crowd = waiting(store, 0, lock=lock, priority="low")
        name = crowd.queue.name if crowd.queue else None
        pending_runs(store, crowd, 1)
        (template,) = store.runs(run.c.schedule == "thumbnail")
        copied = [column.name for column in run.c if column.name not in {"id", "lease_name"}]
        columns = ", ".join(f'"{column}"' for column in copied)
        with store.begin() as connection:
            # What autovacuum reads at its own time would be counted, too.
            connection.exec_driver_sql("ALTER TABLE public.run SET (autovacuum_enabled = false)")
            connection.exec_driver_sql(
                f"INSERT INTO public.run ({columns}, lease_name) SELECT {columns}, 'api' || n "
                f"FROM public.run, generate_series(1, 20000) AS n WHERE id = {template.id}"
            )
            _count_now(connection)
        assert {row.queue for row in store.runs(run.c.schedule == "thumbnail")} == {name}
        if lock:
            assert len(store.claim("thumbnail", limit=9)) == 3
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE public.run")
            _count_now(connection)
        before = _pages(store)
        store.claim("now", "thumbnail", limit=2, holder="h2")
        store.do(read_agenda, "shop", store.known("now", "thumbnail"))
        read = _pages(store) - before
        assert 0 < read < 500


def _count_now(connection: Connection) -> None:
    """Let the server count what this connection has read before another one asks for the count."""
    connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")


def _pages(store: Store) -> int:
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _count_now(connection)
        return int(
            connection.exec_driver_sql(
                "SELECT coalesce(sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read), 0) "
                "FROM pg_statio_user_tables WHERE relname = 'run'"
            ).scalar_one()
        )


# Replicas and other programs that use one lock


@pytest.fixture
def locked(database_url: str) -> Iterator[Store]:
    schedule = a_schedule("daily", lock="warehouse")
    with Store(database_url) as store:
        store.sync(schedule)
        pending_runs(store, schedule, 2)
        yield store


def grant(store: Store, holder: str, *, queue: bool = False) -> list[Grant]:
    return store.do(lease.statements.grant, ["warehouse"], holder, TTL, label=holder, queue=queue)


def take_places(store: Store) -> list[str]:
    names = store.do(sought, "shop", ["warehouse"], "h1")
    store.do(lease.statements.queue_up, names, "h1", "a replica")
    return names


def test_a_replica_queues_up_behind_another_program_and_claims_when_its_turn_comes(locked: Store) -> None:
    """A program that takes the lock again at once leaves it free for no moment in which a replica looks."""
    (held,) = grant(locked, "greedy")
    assert take_places(locked) == ["warehouse"]
    assert take_places(locked) == [], "it has its place"
    locked.do(lease.statements.release, held)
    assert grant(locked, "greedy", queue=True) == []
    (claimed,) = locked.claim("daily")
    assert claimed.grant == Grant("warehouse", 2, "h1")


def test_a_replica_does_not_overtake_a_program_that_waits(locked: Store) -> None:
    (claimed,) = locked.claim("daily")
    assert grant(locked, "ben", queue=True) == []
    assert take_places(locked) == ["warehouse"]
    locked.do(finish_run, claimed, "succeeded")
    assert locked.claim("daily") == []
    (bens,) = grant(locked, "ben", queue=True)
    assert bens.token == 2
    locked.do(lease.statements.release, bens)
    (claimed,) = locked.claim("daily")
    assert claimed.grant.token == 3


@pytest.mark.anyio
async def test_the_loop_takes_a_place_only_where_others_than_replicas_are_in_the_way() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(lock="warehouse")) as replica:

        async def waiting() -> list[str]:
            (queue,) = await store.read(lambda connection: lease.statements.read_queues(connection, ["warehouse"]))
            return [waiter.holder for waiter in queue.waiting]

        mine = replica.context.client.holder
        await store.write(lambda connection: lease.statements.grant(connection, ["warehouse"], mine, TTL))
        await replica.trigger("nightly")
        await replica.tick()
        assert await waiting() == [], "a replica holds it"
        await store.write(lambda connection: lease.statements.release(connection, Grant("warehouse", 1, mine)))
        await store.write(lambda connection: lease.statements.grant(connection, ["warehouse"], "anna", TTL))
        await replica.tick()
        assert await waiting() == [mine]


@pytest.mark.anyio
async def test_a_replica_that_has_no_room_for_another_run_keeps_no_lock_free_for_it() -> None:
    """It could not take it, and each that comes after it would wait for it in vain."""
    schedules, gate = a_shop(), Gate()
    add_schedule(schedules, "long", gate.passed)
    add_schedule(schedules, "stock", lock="warehouse")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules, concurrency=1) as replica:
        await replica.trigger("long")
        await replica.tick()
        await gate.entered()
        await store.write(lambda connection: lease.statements.grant(connection, ["warehouse"], "anna", TTL))
        await replica.trigger("stock")
        await replica.tick()
        (queue,) = await store.read(lambda connection: lease.statements.read_queues(connection, ["warehouse"]))
        assert queue.waiting == ()
        gate.open()
