"""The lanes of the timeline: pure geometry."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.web.pages.drawing.lanes import (
    COLUMNS,
    LOOKS,
    MOST_BARS,
    MOST_CROSSES,
    Bar,
    DrawnLane,
    LaneMarks,
    lane,
    ticks,
)

NOW = datetime(2026, 10, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def drawn(of: DrawnLane) -> dict[str, list[tuple[int, int]]]:
    """Return the first column and the width of each bar, by its look."""
    return {
        looks: [(int(first), int(width)) for first, width in re.findall(r"M(\d+) \d+h(\d+)v", d)]
        for looks, d in of.paths
        if looks in LOOKS
    }


def test_in_a_column_the_worst_state_wins_in_whatever_order_they_come() -> None:
    bars = [Bar("ok", 0, 100), Bar("bad", 40, 60), Bar("run", 50, 90), Bar("crash", 55, 70)]
    for order in (bars, bars[::-1]):
        assert drawn(lane(order, COLUMNS)) == {
            "ok": [(0, 40), (90, 10)],
            "bad": [(40, 20)],
            "crash": [(60, 10)],
            "run": [(70, 20)],
        }


def test_what_took_no_time_can_be_seen_at_the_edges_too() -> None:
    assert drawn(lane([Bar("ok", 0, 0), Bar("bad", COLUMNS - 0.1, COLUMNS + 50)], COLUMNS)) == {
        "ok": [(0, 3)],
        "bad": [(COLUMNS - 3, 3)],
    }


def test_a_week_of_a_run_each_minute_is_few_bars_and_loses_no_failure() -> None:
    week = 7 * 86_400
    bars = [Bar("bad" if minute % 400 == 7 else "ok", 60 * minute, 60 * minute + 5) for minute in range(7 * 1_440)]
    found = lane(bars, week)
    assert sum(len(of_look) for of_look in drawn(found).values()) <= MOST_BARS
    assert len(drawn(found)["bad"]) == len(found.crosses) == 26
    alternating = lane((Bar(LOOKS[number % 2 * 8], number * 4, number * 4 + 2) for number in range(300)), COLUMNS)
    assert sum(len(of_look) for of_look in drawn(alternating).values()) <= MOST_BARS
    assert len(alternating.crosses) <= MOST_CROSSES


def test_where_columns_are_drawn_together_the_worst_state_wins_too() -> None:
    bars = [Bar(LOOKS[8 - place % 2 * 2], 4 * place, 4 * place + 4) for place in range(COLUMNS // 4)]
    found = lane([*bars, Bar("bad", 601, 602)], COLUMNS)
    assert drawn(found)["bad"] == [(600, 8)]
    assert len(found.crosses) == 1


def test_what_did_not_run_is_a_dot_and_what_is_due_another() -> None:
    found = lane(
        [Bar("skip", 100, 100), Bar("miss", 200, 400)], COLUMNS, LaneMarks(due=(1_000, 1_004, 1_100), hand_overs=(600,))
    )
    places = {looks: re.findall(r"M(\d+)", d) for looks, d in found.paths}
    assert places["skip dot"] == places["skip dot in"] == ["100"]
    assert places["miss dot"] == ["200", "400"]
    assert places["due dot"] == ["1000", "1100"]
    assert found.hand_overs == (50.0,)


def test_ticks_are_at_whole_hours_of_the_zone_when_its_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begins = datetime(2026, 10, 24, 20, 30, tzinfo=UTC)
    found = ticks(begins, begins + 8 * HOUR, NOW, berlin)
    assert [tick.text for tick in found] == ["23:00", "Sun 25", "01:00", "02:00", "03:00", "04:00", "05:00"]
    assert all(tick.instant.minute == 0 for tick in found)
    days = ticks(begins, begins + 7 * 24 * HOUR, NOW, berlin)
    assert [tick.text for tick in days][:2] == ["Sun 25", "Mon 26"]
    assert {tick.instant.astimezone(berlin).hour for tick in days} == {0}


def test_a_tick_too_close_to_now_has_no_name() -> None:
    found = ticks(NOW - 8 * HOUR, NOW + 2 * HOUR, NOW + timedelta(minutes=10), UTC)
    assert {tick.text: (tick.is_named, tick.is_near) for tick in found if tick.instant.hour in (10, 12, 13)} == {
        "10:00": (True, False),
        "12:00": (False, True),
        "13:00": (True, True),
    }
