"""How definitions stand, what comes next and when; what they would be; in what they differ. All pure (rule 21)."""

import pytest

from daemon.scheduling.generations.order import Count, Differences, Order, Others, differences, recorded
from daemon.scheduling.generations.standing import Standing, stand, superseded

from .orders import NOBODY, living, old_and_new


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
