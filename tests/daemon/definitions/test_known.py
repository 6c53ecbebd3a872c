"""A search for work leaves out the definitions of others that a replica has met, and its own for now."""

from daemon.definitions.application import Known


def a_known() -> Known:
    return Known({"nightly": "n1", "hourly": "h1"})


def test_it_begins_with_nothing_to_leave_out_however_much_it_has() -> None:
    known = a_known()
    assert (known.other_digests, known.other_schedules) == ([], [])


def test_its_own_and_none_at_all_are_not_strange() -> None:
    known = a_known()
    assert not known.meet(["n1", None], ["hourly", None])
    assert (known.other_digests, known.other_schedules) == ([], [])


def test_another_definition_of_a_schedule_is_strange_though_its_name_is_not() -> None:
    assert a_known().meet(["n2"])
    assert not a_known().meet(schedules=["nightly"])


def test_what_it_meets_it_leaves_out_but_never_its_own() -> None:
    known = a_known()
    assert known.meet(["n1", "n2", None], ["nightly", "weekly", None])
    assert (known.other_digests, known.other_schedules) == (["n2"], ["weekly"])


def test_what_is_left_to_others_for_now_is_left_out_and_still_not_strange() -> None:
    known = a_known()
    without = known.but({"nightly"})
    assert (without.other_digests, without.meet(["n1"])) == (["n1"], False)
    assert known.other_digests == []


def test_what_one_meets_the_one_that_it_was_made_from_has_met_too() -> None:
    known = a_known()
    known.but({"nightly"}).meet(["n2"], ["weekly"])
    assert (known.other_digests, known.other_schedules) == (["n2"], ["weekly"])
