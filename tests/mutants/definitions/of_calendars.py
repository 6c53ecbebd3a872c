"""Mutants of the days on which a schedule does not run (rule 13)."""

from tests.mutants.mutant import Edit, Mutant, on_either

PLANNED = "tests/daemon/scheduling/test_exclude.py::{}"

CALENDARS = (
    Mutant(
        "excluded-by-the-day-of-utc",
        "whether an instant is excluded goes by its day in UTC instead of its schedule's own",
        (
            Edit(
                "daemon/definitions/values/calendars.py",
                "instant.astimezone(zone).date()) if calendars",
                "instant.date()) if calendars",
            ),
        ),
        on_either(
            "tests/daemon/definitions/test_calendar.py::"
            "test_a_day_is_one_of_the_schedules_own_clock_however_long_it_is[America/New_York-2026-11-01-2026-11-01T04:00:00Z-2026-11-02T04:59:59Z]"
        ),
    ),
    Mutant(
        "excluded-and-caught-up",
        "what is caught up is chosen among all instants that were missed, those on excluded days too",
        (
            Edit(
                "daemon/scheduling/plan.py",
                "    ordinary = [instant for piece in pieces if not piece.excluded for instant in piece.instants]\n",
                "    ordinary = [instant for piece in pieces for instant in piece.instants]\n",
            ),
        ),
        on_either(PLANNED.format("test_the_latest_that_was_missed_before_excluded_days_is_caught_up_after_them")),
    ),
    Mutant(
        "counted-as-one",
        "where a year is only counted, its excluded days are counted as missed",
        (
            Edit(
                "daemon/scheduling/plan.py",
                'yield Counted(piece.older, certain or "missed")',
                'yield Counted(piece.older, "missed")',
            ),
        ),
        on_either(
            PLANNED.format(
                "test_a_missed_year_with_excluded_days_in_it_is_counted_by_its_reasons[trigger0-Europe/Berlin]"
            )
        ),
    ),
    Mutant(
        "excluded-days-for-older-versions",
        "a version that knows no excluded days plans the schedules that have some, and runs what is due on them",
        (Edit("daemon/definitions/codec.py", "    if schedule.exclude:\n", "    if False:\n"),),
        on_either(
            "tests/daemon/definitions/test_codec.py::"
            "test_days_that_are_excluded_are_read_back_and_keep_a_release_that_does_not_know_them_from_planning"
        ),
    ),
)
