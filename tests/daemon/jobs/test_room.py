"""How many attempts fit on a machine that is short of something (rule 25), and runs that a replica leaves to others because
its FILE has changed (rule 22).
"""

from daemon.jobs.room import FIRST_PAUSE, FIRST_PAUSE_ASIDE, LONGEST_PAUSE, Room, SetAside
from lease.testing import ManualClock


def a_room(places: int, *, at_work: int) -> tuple[Room, ManualClock]:
    clock = ManualClock()
    room = Room(places, clock)
    for _ in range(at_work):
        room.begin()
    return room, clock


def test_there_is_room_for_all_until_the_machine_is_short_and_then_for_those_at_work() -> None:
    room, _ = a_room(250, at_work=181)
    assert (room.left, room.until_next()) == (250, None)
    room.run_short()
    assert (room.left, room.until_next()) == (181, FIRST_PAUSE)
    room.end()
    assert room.left == 181  # another may follow at once: what fits goes on


def test_those_that_hit_the_same_shortage_prolong_no_pause() -> None:
    room, _ = a_room(250, at_work=181)
    for _ in range(69):
        room.run_short()
    assert room.until_next() == FIRST_PAUSE


def test_after_each_pause_one_is_tried_and_the_next_pause_is_longer_up_to_a_limit() -> None:
    room, clock = a_room(10, at_work=0)
    pauses = []
    for _ in range(11):
        room.run_short()
        assert room.left == 0
        pauses.append(room.until_next() or 0.0)
        clock.advance(pauses[-1])
        assert (room.left, room.until_next()) == (1, None)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_PAUSE, LONGEST_PAUSE]


def test_each_that_fits_again_doubles_how_many_are_tried_until_it_is_forgotten() -> None:
    room, clock = a_room(20, at_work=0)
    room.run_short()
    clock.advance(FIRST_PAUSE)
    allowed, at_work = [], 0
    while room.left < 20:
        allowed.append(room.left)
        for _ in range(room.left - at_work):
            room.begin()
            at_work += 1
    assert allowed == [1, 3, 11]
    room.run_short()
    assert (room.until_next(), room.left) == (FIRST_PAUSE, at_work)


def test_a_place_that_another_run_takes_is_no_sign_that_more_fit() -> None:
    room, clock = a_room(250, at_work=181)
    room.run_short()
    clock.advance(FIRST_PAUSE)
    for _ in range(50):
        room.end()
        room.begin()
    assert room.left == 182


# Runs set aside


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
