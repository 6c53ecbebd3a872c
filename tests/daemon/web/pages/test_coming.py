"""What comes: next times with what the clock does to them, and the next hour; and what problems say of what waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.answers.status import StatusFound
from daemon.definitions.schedule import write_schedule
from daemon.definitions.triggers.trigger import Cron
from daemon.store.views.causes import WaitsForLock, sentence
from daemon.store.views.overview import Overview, RunningRun, ScheduleLine, WaitingRun
from daemon.store.views.problems import Problem
from daemon.store.views.usual import Usual
from daemon.web.pages.coming import Next, coming, soon
from daemon.web.pages.moments import ShownTimes
from daemon.web.pages.now import running_now
from daemon.web.pages.rows import Read
from daemon.web.pages.troubles import MOST, troubles
from tests.support.store import a_schedule

NOW = datetime(2026, 10, 24, 0, 47, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_line(name: str = "nightly", due: datetime | None = NOW + HOUR / 2, **values: Any) -> ScheduleLine:
    due_in = None if due is None else (due - NOW).total_seconds()
    line = ScheduleLine(
        *("shop", name, "cron 30 * * * *", True, None, None, None, None, due, due_in),
        *(None, None, None, None, None, None),
    )
    return replace(line, **values)


def next_of(cron: str, due: str, zone: str = "Europe/Berlin", **settings: Any) -> Next:
    line = {name: settings.pop(name) for name in ("paused_at", "paused_until") if name in settings}
    definition = write_schedule(a_schedule("nightly", Cron(cron), timezone=zone, **settings))
    first = datetime.fromisoformat(due)
    found = coming(a_line(due=first, **line), definition, NOW, ShownTimes(NOW))
    return replace(found, note=found.note.replace("\N{NO-BREAK SPACE}", " "))


@pytest.mark.parametrize(
    ("cron", "due", "note"),
    [
        ("*/15 * * * *", "2026-10-24T01:00Z", "then every 15 minutes"),
        ("5 16 * * 1-5", "2026-10-26T15:05Z", "then Tue, Wed, Thu, Fri 16:05"),
        ("0 6 1 * *", "2026-11-01T05:00Z", "then 1 Dec, 1 Jan, 1 Feb, 1 Mar"),
        ("0 4 1 1 *", "2027-01-01T03:00Z", "then 1 Jan 2028, 1 Jan 2029, 1 Jan 2030, 1 Jan 2031"),
        ("0 */6 * * *", "2026-10-24T22:00Z", "then Sun 06:00, Sun 12:00, Sun 18:00, Mon 00:00 (CEST → CET)"),
        ("30 2 * * *", "2026-10-24T00:30Z", "Sun 02:30: repeated hour, first time"),
        ("30 2 * * *", "2027-03-27T01:30Z", "Sun 03:00: skipped by the clock, runs right after the gap"),
    ],
)
def test_the_times_after_the_next_are_one_line_with_what_the_clock_does(cron: str, due: str, note: str) -> None:
    found = next_of(cron, due)
    assert (found.at, found.note) == (datetime.fromisoformat(due), note)
    assert found.tone == ("warn" if note.startswith("Sun") else None)


def test_what_is_paused_or_excluded_shows_the_first_time_that_runs() -> None:
    until = datetime(2026, 10, 27, 8, tzinfo=UTC)
    paused = next_of("0 2 * * *", "2026-10-25T01:00Z", paused_at=NOW, paused_until=until)
    assert (paused.at, paused.note) == (datetime(2026, 10, 28, 1, tzinfo=UTC), "resumes Tue 09:00")
    assert next_of("0 2 * * *", "2026-10-25T01:00Z", paused_at=NOW) == Next(None, "when it is resumed")
    excluded = next_of("0 2 * * *", "2026-10-26T01:00Z", exclude=["2026-10-26"])
    assert (excluded.at, excluded.note) == (
        datetime(2026, 10, 27, 1, tzinfo=UTC),
        "Mon 02:00 is excluded: 2026-10-26",
    )


def test_the_next_hour_tells_of_what_is_due_often_in_one_line() -> None:
    lines = [a_line(f"often-{number}", NOW + HOUR / 60, timing="cron * * * * *") for number in range(31)]
    lines += [a_line("hourly", NOW + HOUR / 2), a_line("later", NOW + 2 * HOUR), a_line("never", None)]
    lines += [a_line("off", NOW + HOUR / 2, enabled=False), a_line("overdue", NOW - HOUR)]
    lines += [a_line("often-paused", NOW + HOUR / 60, timing="cron * * * * *", paused_at=NOW)]
    found, more = soon(lines)
    assert [(one.line.schedule, one.others, one.often) for one in found] == [
        ("often-0", 30, "every minute"),
        ("often-paused", 0, "every minute"),
        ("hourly", 0, ""),
    ]
    assert more <= 0
    assert soon([a_line(f"s{number}") for number in range(25)])[1] == 15


def a_status(problems: list[Problem], waiting: list[WaitingRun]) -> StatusFound:
    overview = Overview(NOW, (), (), (), tuple(waiting), len(waiting), ())
    return StatusFound(overview, [], [], problems, None, {})


def test_those_that_wait_for_one_lock_are_one_problem_and_many_are_folded() -> None:
    lock = WaitsForLock("ledger", "web-1:7", 5)
    waiting = [WaitingRun(n, "shop", f"s{n}", NOW, 1, NOW, 90.0, None, lock, sentence(lock)) for n in (1, 2, 3)]
    late = [Problem("late", f"run {n} of s{n} has waited for 90s", "shop", f"s{n}", n) for n in (1, 2, 3)]
    failing = [Problem("failing", f"the last run of f{n} failed", "shop", f"f{n}", 100 + n) for n in range(20)]
    found = troubles(a_status([*late, *failing], waiting))
    assert (len(found.listed), found.total) == (MOST, 23)
    assert [one.shown.glyph for one in found.listed] == ["failed"] * MOST
    assert found.more == [("12 failing", "failing"), ("1 late", "late")]
    (only,) = troubles(a_status(late, waiting)).listed
    assert [(part.text, part.url) for part in only.say] == [
        ("Run 1", "runs/1"),
        (" of ", None),
        ("s1", "schedules/shop/s1"),
        (" has waited for 90s.", None),
    ]
    assert "".join(part.text for part in only.remedy) == (
        'It waits for the lock "ledger", held by web-1:7 for run 5. So do s2, s3.'
    )
    assert only.acts == [("Locks", "fleet#locks")]


def test_a_name_that_is_part_of_a_word_is_no_link_and_a_command_is_one_to_type() -> None:
    problem = Problem("missed", "up missed 2 times in the last 24h; `leased why up` says more", "shop", "up")
    (only,) = troubles(a_status([problem], [])).listed
    assert [(part.text, part.url is not None, part.is_typed) for part in only.say] == [
        ("up", True, False),
        (" missed 2 times in the last 24h; ", False, False),
        ("leased why up", False, True),
        (" says more.", False, False),
    ]


def test_what_runs_is_drawn_over_its_p95_and_its_median_is_what_is_usual() -> None:
    run = RunningRun(7, "shop", "nightly", NOW, 1, "x", "web-1", 3, 60.0, True, False, None, None, None)
    usual = Usual(median=20.0, p95=50.0, runs=30)
    found = running_now(run, Read({}, {}, {("shop", "nightly"): usual}), {}, NOW)
    assert found.habit is not None
    assert found.usual == usual
    assert found.habit.p95 / found.habit.median == pytest.approx(2.5, rel=0.01)
    assert (found.habit.over > 0, found.habit.usual) == (True, found.habit.p95)
