"""Mutants of what is said of runs that take long."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

DECIDED = "tests/daemon/store/test_problems.py::test_a_run_is_long_by_what_was_set_otherwise_by_the_defaults_unless_it_is_usual"
TOLD = "tests/daemon/service/test_check_in.py::test_the_replica_that_executes_a_run_tells_once_for_each_level_that_it_takes_long"
PROBLEMS = "tests/daemon/store/test_problems.py::test_{}[{{}}]"

LONG_RUNS = (
    Mutant(
        "long-though-it-is-usual",
        "a run is long by default although the runs of its schedule always take as long",
        (Edit("daemon/store/views/usual.py", "max(seconds, UNUSUAL * usual.p95)", "seconds"),),
        on_either(f"{DECIDED}[3600-{{}}-long-None]"),
    ),
    Mutant(
        "long-by-nine-runs",
        "nine runs decide how long a run of a schedule usually takes",
        (Edit("daemon/store/views/usual.py", "ENOUGH_RUNS = 10", "ENOUGH_RUNS = 9"),),
        on_either(f"{DECIDED}[1801-{{}}-9 runs-critical]"),
    ),
    Mutant(
        "long-told-again",
        "that a run takes long is told with each sign of life",
        (Edit("daemon/service/check_in.py", "(row.told_long or 0)", "0"),),
        on_either(TOLD),
    ),
    Mutant(
        "streak-of-all-failures",
        "runs that failed before the last success count as failures in a row",
        (Edit("daemon/store/views/lately.py", "failed.c.id > success", "failed.c.id > 0"),),
        on_each(PROBLEMS.format("it_counts_how_many_runs_failed_since_one_succeeded")),
    ),
)
