"""Where the attempts of a run are drawn: lanes, tears, the enlarged handover. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.states import JobState
from daemon.web.pages.drawing.attempts import MOST_LANES, Axis, JobSpan, draw

START = datetime(2026, 10, 24, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def span(job: str, state: JobState, began: float, ended: float | None, token: int = 912, **values: Any) -> JobSpan:
    over = None if ended is None else at(ended)
    return JobSpan(job, state, f"web-{token - 911}", token, at(began), over, **values)


def written(moment: datetime, seconds: bool) -> str:
    return f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"


def drawn(*spans: JobSpan, now: float | None = None, **values: Any) -> Axis:
    found = draw(spans, None if now is None else at(now), written, **values)
    assert found is not None
    return found


CRASHED = (
    span("customers", "succeeded", 0, 600),
    span("stock", "abandoned", 600, 1866, renewed_at=at(1865)),
    span("stock", "running", 1880, None, 913),
)


def test_a_crash_and_its_resume_are_two_lanes_with_a_tear_between() -> None:
    axis = drawn(*CRASHED, now=2820, usual_end=at(3840))
    first, second = axis.lanes
    assert ([one.looks for one in first.spans], first.ended) == (["ok", "crash"], "crashed")
    assert ([one.looks for one in second.spans], second.ended) == (["run"], "running")
    assert first.spans[0].x + first.spans[0].width == pytest.approx(first.spans[1].x)
    assert first.end == pytest.approx(first.spans[1].x + first.spans[1].width)
    assert first.end < second.begin
    assert second.spans[0].x + second.spans[0].width == pytest.approx(axis.now)
    assert axis.rest is not None
    assert axis.rest.x == axis.now
    assert axis.rest.x + axis.rest.width == pytest.approx(98.5)
    assert axis.label == (
        "1: web-1 under token 912 from 00:00:00, customers succeeded; it crashed in stock, recorded at 00:31:06. "
        "2: web-2 under token 913 from 00:31:20; stock is running."
    )


def test_the_silence_is_drawn_from_the_last_renewal_to_the_grant() -> None:
    (lens,) = drawn(*CRASHED, now=2820, ttl=15.0).lenses
    assert lens.seconds == 40
    assert lens.silence.text == "15.0 s without a renewal; its lease lasts 15 s"
    assert lens.silence.width == pytest.approx(98 * 15 / 40, abs=0.01)
    assert lens.silence.x + lens.silence.width == pytest.approx(lens.grant)
    assert lens.crash == pytest.approx(lens.silence.x + 98 / 40, abs=0.01)
    assert [mark.text for mark in lens.marks] == [
        "00:31:05 last renewal",
        "00:31:20 resumed on web-2",
        "00:31:06 crash recorded",
    ]


@pytest.mark.parametrize(
    ("last_sign", "said"),
    [(1860.0, "20.0 s since the last sign of life"), (None, "21 min since stock began")],
)
def test_where_no_renewal_is_on_record_it_says_what_is(last_sign: float | None, said: str) -> None:
    sign = None if last_sign is None else at(last_sign)
    first, _, third = CRASHED
    (lens,) = drawn(first, span("stock", "abandoned", 600, 1866, last_sign=sign), third, now=2820, ttl=15.0).lenses
    assert lens.silence.text == said
    assert lens.silence.x > 15


def test_of_many_attempts_the_last_are_drawn_and_three_handovers_enlarged() -> None:
    spans = [span("work", "abandoned", 100 * number, 100 * number + 50, 912 + number) for number in range(20)]
    axis = drawn(*spans)
    assert (len(axis.lanes), axis.earlier, axis.lanes[-1].token) == (MOST_LANES, 20 - MOST_LANES, 931)
    assert [lens.lane for lens in axis.lenses] == [8, 9, 10]
    assert (axis.now, axis.rest, axis.over) == (None, None, None)


@pytest.mark.parametrize("length", [0, 0.001, 1, 59, 3600, 86_400 * 3, 86_400 * 400])
def test_whatever_its_length_all_is_within_the_drawing(length: float) -> None:
    """Also where a clock was set back, so that it ended before it began."""
    offset = timedelta(hours=5, minutes=30)
    for spans in (
        [span("work", "succeeded", 0, length)],
        [span("work", "running", 0, None)],
        [span("work", "failed", length, 0)],
    ):
        axis = drawn(*spans, now=length, long_since=at(length / 2), usual_end=at(length * 3), offset=offset)
        places = [place for lane in axis.lanes for one in lane.spans for place in (one.x, one.x + one.width)]
        places += [x for x, _ in axis.ticks]
        assert all(0 <= place <= 100 for place in places)
        assert all(one.width > 0 for lane in axis.lanes for one in lane.spans)
        assert len(axis.ticks) <= 9


def test_ticks_are_at_round_times_of_the_zone() -> None:
    hours = [text for _, text in drawn(span("work", "succeeded", 0, 86_400), offset=timedelta(hours=5.5)).ticks]
    assert hours == ["03:30", "06:30", "09:30", "12:30", "15:30", "18:30", "21:30"] or hours[0].endswith(":30")


def test_without_attempts_nothing_is_drawn() -> None:
    assert draw([], at(0), written) is None
