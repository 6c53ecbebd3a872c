"""The geometry of strips and bars: what is seen of a run without colour, and that nothing leaves the drawing."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from daemon.operations.backfill_plan import Fate, SurveyedInstant
from daemon.states import RunState
from daemon.store.views.lately import StripRun
from daemon.web.pages.drawing.habit import Habit, habit
from daemon.web.pages.drawing.strip import LARGE, SMALL, Sizes, strip
from daemon.web.pages.drawing.times import times_strip


def shapes(bar: StripRun, p95: float | None = 10.0, sizes: Sizes = SMALL) -> dict[str, str]:
    return dict(strip([bar], p95, sizes).paths)


def test_the_p95_is_at_seven_tenths_of_the_height_and_a_bar_of_that_duration_reaches_it() -> None:
    drawn = strip([StripRun("succeeded", seconds=10.0)], 10.0)
    assert drawn.looks == "strip known"
    assert strip([StripRun("succeeded", seconds=10.0)], None).looks == "strip"
    assert drawn.paths == (("ok", "M0 26V8"),)
    assert (drawn.width, drawn.height) == (5, 36)


def test_a_longer_bar_is_cut_with_a_chevron_and_a_short_one_is_still_seen() -> None:
    assert shapes(StripRun("succeeded", seconds=14.0)).keys() == {"ok"}
    cut = shapes(StripRun("succeeded", seconds=1000.0))
    assert (cut["ok"], "over" in cut) == ("M0 26V0", True)
    assert shapes(StripRun("succeeded", seconds=0.0))["ok"] == "M0 26V23"


@pytest.mark.parametrize(
    ("bar", "classes"),
    [
        (StripRun("failed", seconds=5.0), ["bad", "foot bad"]),
        (StripRun("cancelled", seconds=5.0), ["can", "foot can"]),
        (StripRun("skipped", "overlap"), ["skip"]),
        (StripRun("skipped", "missed"), ["miss"]),
        (StripRun("pending"), ["wait"]),
        (StripRun("pending", seconds=8.0), ["wait"]),
        (StripRun("running", seconds=5.0), ["run", "ghost"]),
        (StripRun("running", seconds=12.0), ["run", "long"]),
        (StripRun("succeeded", seconds=8.0, crashed=4.0), ["crash", "ok", "foot crash"]),
        (StripRun("failed", seconds=8.0, crashed=4.0), ["crash", "bad", "foot bad"]),
        (StripRun("running", seconds=8.0, crashed=4.0), ["crash", "run", "ghost", "foot crash"]),
        (StripRun("pending", seconds=8.0, crashed=8.0), ["crash", "foot crash"]),
    ],
)
def test_each_state_has_a_shape_of_its_own(bar: StripRun, classes: list[str]) -> None:
    assert list(shapes(bar)) == classes
    assert list(shapes(bar, sizes=LARGE)) == classes


def test_a_crashed_part_and_its_resume_are_one_bar_of_two_parts_that_do_not_touch() -> None:
    found = shapes(StripRun("succeeded", seconds=10.0, crashed=5.0))
    assert found["crash"] == "M0 26V17"
    assert found["ok"] == "M0 15.5V8"


STATES: list[RunState] = ["pending", "running", "succeeded", "failed", "cancelled", "skipped"]


@pytest.mark.parametrize("sizes", [SMALL, LARGE])
@pytest.mark.parametrize("p95", [None, 0.0, 1e-9, 10.0, 1e40])
def test_thirty_bars_of_any_state_and_duration_are_few_paths_within_the_drawing(
    p95: float | None, sizes: Sizes
) -> None:
    bars = [
        StripRun(state, "missed", seconds, crashed)
        for state in STATES
        for seconds in (None, 0.0, 3.0, 1e12)
        for crashed in (None, 0.0, 2.0, 1e12)
    ]
    drawn = strip(bars, p95, sizes)
    assert len(drawn.paths) <= 13
    for _, path in drawn.paths:
        for x, y in re.findall(r"M([-\d.]+) ([-\d.]+)", path):
            assert drawn.left - 1 <= float(x) <= drawn.width
            assert 0 <= float(y) <= drawn.height
        assert not re.search(r"nan|inf|e[+-]?\d", path)


def test_a_strip_says_in_words_what_it_shows_and_counts_what_one_row_stands_for() -> None:
    bars = [StripRun("succeeded", seconds=1.0)] * 26 + [
        StripRun("failed", seconds=1.0),
        StripRun("skipped", "paused", count=40),
        StripRun("succeeded", seconds=2.0, crashed=1.0),
    ]
    assert strip(bars, 1.0).label == (
        "last 68 runs: 40 skipped: paused, 26 succeeded, 1 failed, 1 succeeded after a crash"
    )
    assert strip([], None).label == "no runs yet"
    assert strip([StripRun("running", seconds=1.0)], None).label == "last 1 run: 1 running"


def test_a_bar_of_habit_shows_what_is_over_the_p95_and_always_has_room() -> None:
    assert habit(720.0, 720.0, 1140.0) == Habit(56.4, 0.0, 56.4, 89.3)
    over = habit(2460.0, 720.0, 1140.0)
    assert over == Habit(41.4, 47.9, 26.1, 41.4)
    assert habit(0.0, 0.0, 0.0) == Habit(0.0, 0.0, 0.0, 0.0)


NOON, HOUR = datetime(2026, 11, 1, 12, tzinfo=UTC), timedelta(hours=1)


def surveyed(*fates: Fate) -> list[SurveyedInstant]:
    return [SurveyedInstant(NOON + number * HOUR, fate) for number, fate in enumerate(fates)]


def test_each_scheduled_time_of_a_backfill_is_a_bar_which_says_whether_it_will_run() -> None:
    drawn = times_strip(surveyed("succeeded", "failed", "skipped", "none", "under way", "left out"))
    assert [one.looks for one in drawn.bars] == ["ok", "new", "new", "new", "way", "out"]
    assert [word for _, word in drawn.key] == ["will run", "waiting or running", "cannot run", "succeeded before"]
    assert [(one.first, one.last) for one in drawn.bars[:2]] == [(NOON, NOON), (NOON + HOUR, NOON + HOUR)]
    assert drawn.bars[-1].x + drawn.bars[-1].width < 25, "a few are no wide blocks"
    assert times_strip([]).bars == []


@pytest.mark.parametrize(
    ("number", "each", "word"),
    [(60, 1, "will run"), (61, 2, "will run"), (10_000, 167, "1 of 147 will run")],
)
def test_many_scheduled_times_share_a_few_bars_and_one_that_will_run_is_seen(number: int, each: int, word: str) -> None:
    before: list[Fate] = ["succeeded"] * (number - 1)
    drawn = times_strip(surveyed(*before, "failed"))
    assert (drawn.each, len(drawn.bars) <= 60) == (each, True)
    assert {one.looks for one in drawn.bars[:-1]} == {"ok"}
    last = drawn.bars[-1]
    assert (last.looks, last.last, last.word) == ("new", NOON + (number - 1) * HOUR, word)
    assert 90 < last.x + last.width <= 100
