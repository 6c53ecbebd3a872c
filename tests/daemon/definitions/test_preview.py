"""The next instants, with what the clock does to them."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.definitions.schedule import Schedule, preview_schedule


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        (
            "30 2 * * *",
            datetime(2026, 3, 28, tzinfo=UTC),
            [
                ("2026-03-28 02:30 +0100", None),
                ("2026-03-29 03:00 +0200", "skipped by the clock, runs right after the gap"),
            ],
        ),
        (
            "30 2 * * *",
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            [("2026-10-25 02:30 +0200", "repeated hour, first time"), ("2026-10-26 02:30 +0100", None)],
        ),
        (
            "0 * * * *",
            datetime(2026, 10, 24, 23, 30, tzinfo=UTC),
            [
                ("2026-10-25 02:00 +0200", "repeated hour, first time"),
                ("2026-10-25 02:00 +0100", "repeated hour, second time"),
                ("2026-10-25 03:00 +0100", None),
            ],
        ),
    ],
)
def test_what_the_clock_skips_or_repeats_is_marked(
    expression: str, after: datetime, expected: list[tuple[str, str | None]]
) -> None:
    found = preview_schedule(Schedule(name="n", cron=expression, timezone="Europe/Berlin"), after, len(expected))
    assert [(f"{one.local:%Y-%m-%d %H:%M %z}", one.note) for one in found] == expected
    assert all(one.instant == one.local.astimezone(UTC) for one in found)


def test_a_schedule_is_shown_within_its_bounds() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    schedule = Schedule(name="n", every=3600.0, ends=noon + timedelta(hours=2))
    found = preview_schedule(schedule, noon, 5)
    assert [one.instant.hour for one in found] == [13, 14]
    assert [one.instant.minute for one in preview_schedule(schedule, noon, 1, noon - timedelta(minutes=15))] == [45]
