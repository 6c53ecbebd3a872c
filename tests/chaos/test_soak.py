"""A soak distinguishes a leak from normal variation."""

from collections.abc import Iterable

from tests.chaos.soak import TABLES, Reading, grown


def readings(descriptors: Iterable[int]) -> list[Reading]:
    return [
        Reading(
            at=float(number), memory=90 << 20, descriptors=open_now, threads=5, connections=9, wal=number,
            wal_files=1, tables=dict.fromkeys(TABLES, 8192), dead_leases=0, hot=1.0, runs=number,
        )
        for number, open_now in enumerate(descriptors)
    ]  # fmt: skip


def test_a_number_that_goes_up_and_down_has_not_grown() -> None:
    assert grown(readings(20 + 5 * (number % 4) for number in range(100))) == []


def test_a_floor_that_rises_has_grown_however_much_goes_on_above_it() -> None:
    (told,) = grown(readings(20 + 5 * (number % 4) + number // 4 for number in range(100)))
    assert told == "file descriptors of a replica has grown from 27 to 39"
