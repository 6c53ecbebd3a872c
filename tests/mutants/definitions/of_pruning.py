"""Mutants of the deletion of history, each of which takes what must stay, or misses what has gone (rules 5 and 13)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_postgres

CHOICE = "daemon/pruning/choice.py"
PRUNE_STEPS = "daemon/pruning/pruner.py"
OLD_RUNS = "daemon/store/statements/keeping.py"
RETRIES = "daemon/store/statements/acting/retries.py"
PLAN = "daemon/operations/backfill_plan.py"
PRUNE = "tests/daemon/pruning/test_prune.py::{}[{{}}]"

PRUNING = (
    Mutant(
        "pruning-takes-the-row-that-counts-on",
        "the counted row of the present stretch goes, and planning can extend it no more",
        (Edit(CHOICE, " and not run.goes_on]", "]"),),
        on_each(PRUNE.format("test_the_counted_row_of_the_present_stretch_stays_and_goes_with_the_next")),
    ),
    Mutant(
        "pruning-says-nothing-of-it",
        "nothing says up to which instant the runs of a schedule are gone",
        (Edit(PRUNE_STEPS, "    if choice.until is not None:\n", "    if False:\n"),),
        on_each("tests/daemon/audit/test_pruned.py::test_what_was_pruned_is_not_missed[{}]"),
    ),
    Mutant(
        "backfill-asks-first-what-was-pruned",
        "a backfill takes for missing what is pruned while it looks, and runs again what had succeeded",
        (
            Edit(PLAN, "    if instants:\n        _refuse_unkept(connection, schedule, row, instants[0])\n", ""),
            Edit(
                PLAN,
                "    rows = statements.backfills.due_between",
                "    if instants:\n        _refuse_unkept(connection, schedule, row, instants[0])\n    rows = statements.backfills.due_between",
            ),
        ),
        on_postgres(
            "tests/daemon/operations/test_backfill.py::test_what_is_pruned_while_it_looks_is_refused_and_not_taken_for_missing"
        ),
    ),
    Mutant(
        "mark-that-goes-back",
        "a pruner that was held up records less than another one has pruned meanwhile",
        (Edit(OLD_RUNS, ", pruned.c.until < until)", ",)"),),
        on_each(PRUNE.format("test_what_is_recorded_of_it_never_goes_back")),
    ),
    Mutant(
        "pruned-while-it-is-retried",
        "a run is pruned while a retry of it is written, which carries nothing over and does all again",
        (Edit(RETRIES, "key_share=True) if lock else query))", "key_share=True) if False else query))"),),
        on_postgres(
            "tests/daemon/operations/test_retry.py::test_what_was_done_is_not_pruned_before_it_is_carried_over"
        ),
    ),
    Mutant(
        "retry-pruned-before-its-run",
        "the retry of a run goes while that one stays, which can be retried once more",
        (Edit(OLD_RUNS, "    going -= _that_try_one_again_that_stays(connection, going)\n", ""),),
        on_postgres("tests/daemon/pruning/test_prune.py::test_what_tried_a_run_again_stays_as_long_as_that_one"),
    ),
    Mutant(
        "pruning-takes-held-leases",
        "the lease of a run that somebody still holds goes with it",
        (Edit(OLD_RUNS, ".where(among(lease.c.name, there), free_or_stale())", ".where(among(lease.c.name, there))"),),
        on_each(PRUNE.format("test_the_lease_of_one_run_alone_goes_with_it_unless_it_is_held")),
    ),
    Mutant(
        "pruning-takes-the-newest-number",
        "the newest run of all goes, and on SQLite the next one has its number",
        (Edit(OLD_RUNS, ", ~unfinished(), run.c.id < newest)", ", ~unfinished(), run.c.id <= newest)"),),
        on_each(PRUNE.format("test_no_run_takes_the_number_of_one_that_was_pruned")),
    ),
)
