"""Mutants of the deadlines of runs."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either, on_postgres

LATE = "daemon/store/statements/run.py"
TOLD = "tests/daemon/scheduling/test_finish_by.py::{}"

DEADLINES = (
    Mutant(
        "late-told-again",
        "a run that is late to finish is told with each sign of life of each replica",
        (Edit(LATE, ", run.c.late_at.is_(None), ~marked())", ", ~marked())"),),
        on_each(TOLD.format("test_a_run_that_is_late_to_finish_is_told_once[{}]")),
    ),
    Mutant(
        "late-that-waits-for-a-row",
        "a sign of life waits for a late run that another transaction has locked",
        (
            Edit(
                LATE,
                ".limit(MOST_LATE)\n        .with_for_update(skip_locked=True, ",
                ".limit(MOST_LATE)\n        .with_for_update(",
            ),
        ),
        on_postgres(TOLD.format("test_a_run_that_another_transaction_has_locked_is_told_later")),
    ),
    Mutant(
        "deadline-in-utc",
        "the time of day of a deadline is one of UTC instead of its schedule's own clock",
        (
            Edit(
                "daemon/definitions/triggers/wall_time.py",
                '* * *"), instant, zone), None)',
                '* * *"), instant, ZoneInfo("UTC")), None)',
            ),
        ),
        on_either(
            "tests/daemon/definitions/test_deadline.py::"
            "test_a_deadline_is_a_duration_after_the_instant_or_the_first_such_time_of_day_after_it"
            "[America/New_York-06:00-2026-07-01T06:00:00Z-2026-07-01T10:00:00Z]"
        ),
    ),
)
