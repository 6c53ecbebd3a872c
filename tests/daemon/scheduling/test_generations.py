"""What a replica does about the definitions in the database, decided from what it sees; how they stand, and in what they
differ. All pure (rule 21).
"""

import pytest

from daemon.scheduling.generations.order import (
    Count,
    Differences,
    Generation,
    Order,
    Others,
    differences,
    is_newer_ready,
    next_move,
    recorded,
)
from daemon.scheduling.generations.standing import Standing, stand, superseded

T = 60.0
NOBODY = Others(frozenset(), {})
LONG = 3600.0


def old_and_new(*, ruler: str = "new", staged: bool = False) -> Order:
    """Return two generations, of which ``ruler`` rules; the new one may be staged."""
    return Order(
        [
            Generation(1, "old", is_staged=False, rules=ruler == "old"),
            Generation(2, "new", is_staged=staged, rules=ruler == "new"),
        ]
    )


def living(*digests: str) -> Others:
    """Return others with these definitions, which have been ready for long."""
    return Others(frozenset(digests), dict.fromkeys(digests, LONG))


def decided(order: Order, digest: str, others: Others = NOBODY, *, absent: float = 0.0, ready: float = 0.0) -> object:
    return next_move(order, digest, others, Count(absent, ready), starting=False, takeover_after=T)


def test_one_that_came_back_in_the_last_moment_stays() -> None:
    assert decided(old_and_new(), "old", living("new"), absent=T) is None
    assert decided(old_and_new(ruler="old"), "old", living("new"), absent=1e6) is None


def test_the_time_is_over_to_the_second() -> None:
    assert decided(old_and_new(), "old", absent=T - 0.1) is None
    assert decided(old_and_new(), "old", absent=T) == "stand in"
    assert decided(old_and_new(ruler="old"), "old", absent=899.9) is None
    assert decided(old_and_new(ruler="old"), "old", absent=900.0) == "put on top"


def test_definitions_that_are_unknown_are_recorded_first() -> None:
    assert decided(Order([]), "old") == "add"
    assert decided(old_and_new(), "newest", living("new")) == "add"


def test_one_put_on_top_again_counts_by_its_latest_place() -> None:
    again = Generation(3, "old", is_staged=False, rules=True)
    order = Order([*old_and_new(ruler="nobody").generations, again])
    assert order.latest("old") == again
    assert not is_newer_ready(order, "new", NOBODY)
    assert is_newer_ready(order, "old", NOBODY), "it is the newest itself"


def test_time_without_contact_counts_neither_as_absence_nor_as_readiness() -> None:
    for broken, at in ((Count(30.0, 50.0, 100.0), 121.0), (Count(30.0, 50.0, 100.0).out_of_contact(), 105.0)):
        assert broken.after(at, is_ready=False, long_enough=T) == Count(30.0, 0.0, at)
        assert broken.after(at, is_ready=True, long_enough=T) == Count(30.0, 0.0, at), "it begins anew to be ready"


def test_one_that_starts_waits_only_for_an_older_one_that_can_have_found_it_away() -> None:
    """All have just been restarted, and an older one was the first."""

    def started(ready_for: float | None) -> object:
        others = Others(frozenset({"old"}), {} if ready_for is None else {"old": ready_for})
        return next_move(old_and_new(ruler="old"), "new", others, Count(), starting=True, takeover_after=T)

    assert started(None) == started(T - 1.0) == "rule"
    assert started(T) is None
    assert decided(old_and_new(ruler="old"), "new", Others(frozenset({"old"}), {"old": 1.0})) is None


# How definitions stand, what comes next and when; what they would be; in what they differ


def standing(order: Order, digest: str, others: Others = NOBODY, count: Count | None = None) -> Standing:
    return stand(order, digest, others, count or Count(), takeover_after=60.0)


NEW_RULES, OLD_RULES, STAGED = old_and_new(), old_and_new(ruler="old"), old_and_new(ruler="old", staged=True)
NO_REPLICA = "which has no ready replica: falling back to generation 1 in 41s"


@pytest.mark.parametrize(
    ("order", "digest", "others", "count", "said"),
    [
        (NEW_RULES, "new", living("old"), Count(), "generation 2 is active"),
        (STAGED, "old", NOBODY, Count(), "generation 1 is active; generation 2 is staged"),
        (NEW_RULES, "old", living("new"), Count(), "this replica changes no definition"),
        (NEW_RULES, "old", NOBODY, Count(absent=19.0), NO_REPLICA),
        (OLD_RULES, "old", NOBODY, Count(absent=60.0), "becomes active for good in 14m unless a replica"),
        (OLD_RULES, "old", living("new"), Count(ready=19.0), "generation 2 takes over in 41s"),
        (OLD_RULES, "new", living("old"), Count(ready=19.0), "generation 2 becomes active in 41s if it stays ready"),
        (STAGED, "new", living("old"), Count(), "generation 2 is staged"),
        (Order([]), "old", NOBODY, Count(), "these definitions have no generation yet"),
    ],
)
def test_it_says_what_comes_next_and_when(order: Order, digest: str, others: Others, count: Count, said: str) -> None:
    assert said in standing(order, digest, others, count).text()


def test_the_time_that_is_left_goes_down_and_is_no_change() -> None:
    one = standing(NEW_RULES, "old", NOBODY, Count(absent=19.0))
    assert "in 36s" in one.text(5.0)
    assert "in 0s" in one.text(1000.0)
    assert one.change == standing(NEW_RULES, "old", NOBODY, Count(absent=24.0)).change
    assert one.change != standing(NEW_RULES, "old", living("new"), Count(absent=24.0)).change


@pytest.mark.parametrize(
    ("order", "digest", "others", "expected"),
    [
        (NEW_RULES, "newest", living("old", "new"), [1, 2]),
        (NEW_RULES, "newest", NOBODY, []),
        (NEW_RULES, "newest", living("newest"), []),
        (NEW_RULES, "newest", living("unknown"), []),
        (NEW_RULES, "old", living("new"), []),
        (NEW_RULES, "new", living("old"), []),
        (STAGED, "new", living("old"), [1]),
        (OLD_RULES, "new", living("old"), [1]),
    ],
    ids=["new", "alone", "the same", "not brought yet", "older", "current", "staged", "next"],
)
def test_who_would_be_superseded_are_those_that_live_if_these_are_to_rule(
    order: Order, digest: str, others: Others, expected: list[int]
) -> None:
    assert [one.number for one in superseded(recorded(order, digest, None), digest, others)] == expected


def test_definitions_differ_by_what_they_execute_and_by_the_rest() -> None:
    own = {"a": ("1", "1"), "b": ("1", "1"), "c": ("1", "1"), "d": ("4", "1"), "nightly": ("6", "1")}
    other = {"a": ("1", "1"), "b": ("2", "2"), "c": ("1", "2"), "e": ("5", "1"), "night": ("6", "1")}
    found = differences(own, other)
    assert found == Differences(("night, here nightly",), added=("d",), removed=("e",), changed=("b",), retimed=("c",))
    assert str(found).startswith("renamed: night, here nightly; added: d; removed: e; changed: b; other timing or ")
    assert str(differences(own, own)) == ""
