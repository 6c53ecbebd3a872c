"""What a replica does about the definitions in the database, decided from what it sees (rule 21)."""

from daemon.scheduling.generations.order import (
    Count,
    Generation,
    Order,
    Others,
    is_newer_ready,
    next_move,
)

from .orders import NOBODY, living, old_and_new

T = 60.0


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
