"""Runs that a replica leaves to others because its FILE has changed (rule 22)."""

from daemon.jobs.room import FIRST_PAUSE_ASIDE, LONGEST_PAUSE, SetAside
from lease.testing import ManualClock


def test_its_runs_are_not_claimed_for_a_while_and_all_others_are() -> None:
    clock = ManualClock()
    aside = SetAside(clock)
    assert (aside.names(), aside.until_next(), bool(aside)) == (set(), None, False)
    aside.put("nightly")
    assert aside.names() == {"nightly"}
    assert (aside.until_next(), bool(aside)) == (FIRST_PAUSE_ASIDE, True)
    clock.advance(FIRST_PAUSE_ASIDE)
    assert (aside.names(), aside.until_next()) == (set(), None)


def test_each_time_the_wait_doubles_up_to_a_limit_until_the_file_is_found_as_it_was() -> None:
    clock = ManualClock()
    aside = SetAside(clock)
    waits = []
    for _ in range(8):
        aside.put("nightly")
        waits.append(aside.until_next())
    assert waits == [5, 10, 20, 40, 80, 160, LONGEST_PAUSE, LONGEST_PAUSE]
    aside.take_back("nightly")
    aside.take_back("hourly")
    assert (aside.names(), bool(aside)) == (set(), False)
    aside.put("nightly")
    assert aside.until_next() == FIRST_PAUSE_ASIDE
