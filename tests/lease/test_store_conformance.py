"""The contract that every store keeps: in memory, in SQLite, in PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from lease import Grant, LeaseRecord
from lease.database_store import DatabaseStore
from lease.store import Store
from lease.testing import ManualClock, MemoryStore
from lease.timing import LeaseTiming
from tests.lease.stores import Tables

pytestmark = [pytest.mark.anyio, pytest.mark.conformance]

Expire = Callable[[str], None]
ODD_NAMES = [
    "run/shop/daily-full-sync",
    "it's; DROP TABLE lease; --",
    'quoted "name"',
    "100% of_all\\that",
    "a b",
    "\N{SNOWMAN}\N{PILE OF POO}",
    ":name %(name)s {name}",
    "x" * 255,
    "\N{COMBINING ACUTE ACCENT}e",
]


class Kept:
    """A store, and the way to let a lease of it go stale."""

    def __init__(self, store: Store, expire: Expire) -> None:
        self.store = store
        self.expire = expire

    async def granted(self, name: str, holder: str = "anna", ttl: float = 60.0) -> Grant:
        answer = await self.store.grant(name, holder, f"label of {holder}", ttl)
        assert isinstance(answer, Grant), answer
        return answer

    async def record(self, name: str) -> LeaseRecord:
        record = await self.store.read(name)
        assert record is not None
        return record


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "memory":
        clock = ManualClock()
        yield Kept(MemoryStore(clock), lambda _: clock.advance(1_000))
        return
    url = str(request.getfixturevalue(f"{request.param}_url"))
    store = DatabaseStore(url, LeaseTiming())
    with Tables(url) as tables:
        yield Kept(store, tables.make_stale)
    await store.close()


async def test_a_live_lease_is_not_granted_and_what_stands_in_the_way_is_told(kept: Kept) -> None:
    grant = await kept.granted("a")
    for other in ("ben", "anna"):
        refusal = await kept.store.grant("a", other, f"another label of {other}", 60.0)
        assert isinstance(refusal, LeaseRecord)
        assert (refusal.grant, refusal.label, refusal.live) == (grant, "label of anna", True)


async def test_a_stale_lease_is_granted_to_another_under_the_next_token(kept: Kept) -> None:
    await kept.granted("a")
    kept.expire("a")
    assert await kept.granted("a", "ben") == Grant("a", 2, "ben")


async def test_the_token_survives_release_and_grows_by_one_with_each_grant(kept: Kept) -> None:
    tokens = []
    for _ in range(4):
        grant = await kept.granted("a")
        tokens.append(grant.token)
        assert await kept.store.release(grant)
        assert not await kept.store.release(grant), "a second release changes nothing"
    assert tokens == [1, 2, 3, 4]


async def test_a_renewal_renews_all_of_its_holder_and_nothing_of_another_incarnation(kept: Kept) -> None:
    """Rule 6, and the mistake of renewing by name or host: a successor of the same name is another holder."""
    mine = [await kept.granted("a"), await kept.granted("b")]
    other = await kept.granted("c", "anna-2")
    before = await kept.record("c")
    for _ in range(3):
        renewal = await kept.store.renew("anna", 60.0, mine[:1])
        assert renewal.pairs == {("a", 1), ("b", 1)}, "what its holder may not have heard of too"
        assert not renewal.missing
    assert [(await kept.record(grant.name)).grant for grant in mine] == mine
    assert (await kept.record("c")).renewed_at == before.renewed_at
    assert (await kept.record("c")).grant == other


async def test_a_stolen_lease_is_not_renewed_and_its_thief_is_told(kept: Kept) -> None:
    lost = await kept.granted("a")
    kept.expire("a")
    stolen = await kept.granted("a", "ben")
    renewal = await kept.store.renew("anna", 60.0, [lost])
    assert renewal.pairs == frozenset()
    assert renewal.missing["a"].grant == stolen
    assert renewal.missing["a"].label == "label of ben"
    assert not (await kept.store.renew("anna", 60.0, [Grant("never", 1, "anna")])).missing


async def test_a_lapsed_lease_that_nobody_else_was_granted_can_be_renewed(kept: Kept) -> None:
    grant = await kept.granted("a")
    kept.expire("a")
    assert not (await kept.record("a")).live
    assert (await kept.store.renew("anna", 60.0, [grant])).pairs == {("a", 1)}
    assert (await kept.record("a")).live


async def test_a_renewal_passes_over_the_grants_that_it_is_told_and_no_later_one_of_their_names(kept: Kept) -> None:
    """Rule 6: what is lost is renewed no more."""
    grant, lost, other = [await kept.granted(name) for name in ("a", "b", "b/1")]
    before = await kept.record("b")
    for _ in range(2):
        renewal = await kept.store.renew("anna", 90.0, [grant], [lost])
        assert renewal.pairs == {("a", 1), ("b/1", 1)}
    assert (await kept.record("b")).renewed_at == before.renewed_at
    assert await kept.store.release(lost)
    again = await kept.granted("b")
    renewal = await kept.store.renew("anna", 90.0, [grant, again, other], [lost])
    assert renewal.pairs == {("a", 1), ("b", 2), ("b/1", 1)}


async def test_a_renewal_brings_the_time_of_the_database_unless_it_renewed_nothing(kept: Kept) -> None:
    grant, released = await kept.granted("a"), await kept.granted("b")
    first = (await kept.store.renew("anna", 60.0, [grant])).database_time
    again = (await kept.store.renew("anna", 60.0, [grant])).database_time
    assert await kept.store.release(released)
    third = (await kept.store.renew("anna", 60.0, [grant, released])).database_time
    assert first is not None
    assert again is not None
    assert third is not None
    assert first <= again <= third
    assert (await kept.store.renew("nobody", 60.0, [])).database_time is None


@pytest.mark.parametrize(
    "wrong",
    [Grant("a", 2, "ben"), Grant("a", 1, "anna"), Grant("b", 2, "anna"), Grant("A", 2, "anna")],
    ids=["another holder", "an earlier token", "another name", "another case"],
)
async def test_a_release_matches_name_token_and_holder(kept: Kept, wrong: Grant) -> None:
    """Rule 6, and the mistake of finishing by id alone: a zombie releases nothing of its successor, nor an earlier tenure
    of the same holder of its later one.
    """
    await kept.store.release(await kept.granted("a"))
    grant = await kept.granted("a")
    assert not await kept.store.release(wrong)
    assert (await kept.record("a")).grant == grant


async def test_a_released_lease_is_read_as_free_and_keeps_its_token(kept: Kept) -> None:
    grant = await kept.granted("a")
    await kept.store.release(grant)
    record = await kept.record("a")
    assert (record.token, record.holder, record.label, record.live) == (1, None, None, False)
    assert (record.grant, record.held_for, record.expires_in) == (None, None, None)
    assert record.free_for == pytest.approx(0, abs=10)


async def test_a_held_lease_is_read_with_its_times(kept: Kept) -> None:
    await kept.granted("a", ttl=60.0)
    record = await kept.record("a")
    assert record.live
    assert record.expires_in is not None
    assert record.held_for is not None
    assert 50 < record.expires_in <= 60
    assert 0 <= record.held_for < 10
    assert record.granted_at is not None
    assert record.renewed_at is not None
    # Two readings of a clock that goes on within a statement.
    assert abs(record.granted_at - record.renewed_at) < timedelta(milliseconds=100)
    assert record.granted_at.utcoffset() is not None


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_name_is_taken_as_it_is(kept: Kept, name: str) -> None:
    grant = await kept.granted(name)
    assert (await kept.record(name)).grant == grant
    assert [record.name for record in await kept.store.list(name)] == [name]
    assert (await kept.store.renew("anna", 60.0, [grant])).pairs == {(name, 1)}
    assert await kept.store.release(grant)


async def test_names_that_differ_by_case_or_composition_are_different_leases(kept: Kept) -> None:
    names = ["name", "Name", "name ", "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"]
    assert [(await kept.granted(name)).token for name in names] == [1] * len(names)
    assert await kept.store.read("never granted") is None


async def test_a_list_takes_its_prefix_literally_and_is_ordered_by_name(kept: Kept) -> None:
    for name in ["b", "run/B", "run/a%b", "run/a_b", "run/axb", "Run/a", "run/a/b"]:
        await kept.granted(name)

    async def names(prefix: str) -> list[str]:
        return [record.name for record in await kept.store.list(prefix)]

    assert await names("run/a") == ["run/a%b", "run/a/b", "run/a_b", "run/axb"]
    assert await names("run/a%") == ["run/a%b"]
    assert await names("run/a_") == ["run/a_b"]
    assert await names("run/A") == []
    assert await names("nothing") == []
    assert len(await names("")) == 7


async def test_who_is_queued_comes_first_and_one_who_did_not_wait_is_told_so(kept: Kept) -> None:
    grant = await kept.granted("a")
    for waiter in ("ben", "cleo", "ben"):
        answer = await kept.store.grant("a", waiter, f"{waiter}'s", 60.0, queue=True)
        assert isinstance(answer, LeaseRecord)
        assert answer.live
    assert [waiter.label for waiter in (await kept.record("a")).waiting] == ["ben's", "cleo's"]
    await kept.store.release(grant)
    for other in ("dan", "cleo"):
        refused = await kept.store.grant("a", other, "dan's", 60.0)
        assert isinstance(refused, LeaseRecord)
        assert not refused.live
        assert [waiter.holder for waiter in refused.waiting] == ["ben", "cleo"]
    granted = await kept.store.grant("a", "ben", "ben's", 60.0, queue=True)
    assert granted == Grant("a", 2, "ben")
    assert [waiter.holder for waiter in (await kept.record("a")).waiting] == ["cleo"]


async def test_who_leaves_the_queue_is_waited_for_no_longer(kept: Kept) -> None:
    grant = await kept.granted("a")
    for waiter in ("ben", "cleo"):
        await kept.store.grant("a", waiter, waiter, 60.0, queue=True)
    await kept.store.leave("a", "ben")
    await kept.store.leave("a", "dan")
    await kept.store.leave("never", "ben")
    await kept.store.release(grant)
    assert await kept.store.grant("a", "cleo", "cleo", 60.0, queue=True) == Grant("a", 2, "cleo")
    assert (await kept.record("a")).waiting == ()


async def test_a_broken_lease_is_held_by_a_mark_that_keeps_its_end(kept: Kept) -> None:
    """Nobody is granted it, and the holder's own ends and renewals match no more."""
    grant = await kept.granted("a")
    made = await kept.store.break_grant(grant, "ben", "it hangs")
    assert made is not None
    assert (made.by, made.reason, made.holder, made.label, made.token) == (
        "ben",
        "it hangs",
        "anna",
        "label of anna",
        1,
    )
    record = await kept.record("a")
    assert (record.holder, record.live, record.broken) == ("broken:anna", True, made)
    assert record.expires_in is not None
    assert 0 < record.expires_in <= 60
    assert isinstance(await kept.store.grant("a", "ben", "", 60.0), LeaseRecord)
    renewal = await kept.store.renew("anna", 60.0, [grant])
    assert (renewal.pairs, renewal.missing["a"].broken) == (frozenset(), made)
    assert not await kept.store.release(grant)


async def test_a_broken_lease_is_granted_again_when_its_mark_is_ended_or_stale(kept: Kept) -> None:
    for name in ("a", "b"):
        assert await kept.store.break_grant(await kept.granted(name), "ben", "it hangs") is not None
    assert await kept.store.release(Grant("a", 1, "broken:anna"))
    assert await kept.granted("a", "ben") == Grant("a", 2, "ben")
    kept.expire("b")
    assert await kept.granted("b", "ben") == Grant("b", 2, "ben")
    record = await kept.record("b")
    assert record.broken is not None
    assert record.broken.token == 1


async def test_only_the_grant_in_force_can_be_broken(kept: Kept) -> None:
    grant = await kept.granted("a")
    for other in (Grant("a", 2, "anna"), Grant("a", 1, "ben"), Grant("never", 1, "anna")):
        assert await kept.store.break_grant(other, "ben", "it hangs") is None
    assert await kept.store.break_grant(grant, "ben", "it hangs") is not None
    assert await kept.store.break_grant(grant, "carol", "again") is None
    record = await kept.record("a")
    assert record.broken is not None
    assert record.broken.by == "ben"


async def test_all_leases_of_a_holder_end_together_besides_those_that_are_named(kept: Kept) -> None:
    granted = [await kept.granted(name) for name in ODD_NAMES]
    other = await kept.granted("another's", holder="ben")
    released = await kept.store.release_all("anna", [ODD_NAMES[0], "never granted"])
    assert sorted(released) == sorted(granted[1:])
    assert (await kept.record(ODD_NAMES[0])).grant == granted[0]
    assert (await kept.record("another's")).grant == other
    ended = await kept.record(ODD_NAMES[1])
    assert (ended.holder, ended.label) == (None, None)
    assert ended.free_for == pytest.approx(0, abs=10)
    assert await kept.store.release_all("anna", [ODD_NAMES[0]]) == []
    assert await kept.granted(ODD_NAMES[1], holder="ben") == Grant(ODD_NAMES[1], 2, "ben")
