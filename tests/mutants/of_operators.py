"""Mutants of what operators see, and of what they do to much at once."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either, on_postgres

LEFT_OUT = "daemon/store/views/lately.py"
RETIRE = "daemon/operations/retire.py"
REPLACED = (
    "tests/daemon/cli/generations/test_retired.py::"
    "test_a_generation_that_kept_nothing_is_a_problem_until_it_is_acknowledged_also_when_the_old_ones_have_gone"
)
PROBLEMS = "tests/daemon/store/test_problems.py::{}[{{}}]"
RETIRING = "tests/daemon/operations/test_retire.py::{}[{{}}]"

OPERATORS = (
    Mutant(
        "all-retired-and-all-is-well",
        "a generation that kept no schedule of the one before is no problem",
        (Edit("daemon/operations/generations.py", "        if one.replaced_schedules:\n", "        if False:\n"),),
        on_either(REPLACED),
    ),
    Mutant(
        "acknowledged-in-vain",
        "an acknowledgement is answered and recorded as an act, and the problem stays",
        (
            Edit(
                "daemon/operations/generations.py",
                "        statements.generation.acknowledge(connection, application, number, requested_by)\n",
                "",
            ),
        ),
        on_either(REPLACED),
    ),
    Mutant(
        "missed-for-ever",
        "what was missed is a problem for as long as its row is kept",
        (Edit(LEFT_OUT, ", _one.c.finished_at > later(MOMENT, -MISSED_WITHIN))", ")"),),
        on_each(PROBLEMS.format("test_what_was_missed_is_a_problem_for_a_day")),
    ),
    Mutant(
        "missed-as-asked-is-a-problem",
        "what a schedule leaves out by its own catch_up is a problem",
        (
            Edit(
                "daemon/store/views/problems.py",
                "if left_out.missed and not left_out.missed_as_asked:",
                "if left_out.missed:",
            ),
        ),
        on_each(PROBLEMS.format("test_what_catch_up_leaves_out_as_asked_is_only_shown")),
    ),
    Mutant(
        "thinned-by-two-of-any",
        "two scheduled times that overlapped are a problem, however many ran",
        (
            Edit(
                LEFT_OUT,
                "return self.overlapped > 1 and 2 * self.overlapped > self.latest",
                "return self.overlapped > 1",
            ),
        ),
        on_each(PROBLEMS.format("test_what_is_skipped_by_overlap_is_shown_and_a_problem_above_half_of_the_latest")),
    ),
    Mutant(
        "numbers-looked-through-for-each-that-waits",
        "runs are chosen by number with IN: before there are statistics, PostgreSQL goes through all for each that waits",
        (
            Edit("daemon/store/statements/dialects.py", "if len(columns) == 1 else", "if len(columns) == 0 else"),
            Edit(
                "daemon/store/statements/run.py",
                "ids), agrees(run.c.state, PENDING), marked())",
                "ids), run.c.state == PENDING, marked())",
            ),
        ),
        on_postgres(
            "tests/daemon/store/test_searches.py"
            "::test_postgresql_looks_up_by_number_among_many_that_wait_before_it_has_statistics[ended as cancelled]"
        ),
    ),
    Mutant(
        "all-in-one-transaction",
        "a cancel of many writes them all in one transaction, which locks their schedules meanwhile",
        (
            Edit(
                "daemon/operations/cancel.py",
                "return (runs[start : start + MOST_AT_ONCE] for start in range(0, len(runs), MOST_AT_ONCE))",
                "return iter([runs] if runs else [])",
            ),
        ),
        on_each("tests/daemon/operations/test_many_runs.py::test_parts_are_transactions_of_at_most_so_many_runs[{}]"),
    ),
    Mutant(
        "retired-while-it-lives",
        "an application is retired though a replica of it runs",
        (Edit(RETIRE, "    if living:\n", "    if False:\n"),),
        on_each(RETIRING.format("test_it_is_refused_while_a_replica_lives")),
    ),
    Mutant(
        "retired-and-still-awaited",
        "the last generation of an application that is retired still rules, so its replicas are missed for ever",
        (
            Edit(
                RETIRE,
                "ruled = statements.generation.let_none_rule(connection, application)",
                "ruled = False",
            ),
        ),
        on_each(RETIRING.format("test_what_waits_is_cancelled_what_was_due_is_planned_and_no_problem_is_left")),
    ),
    Mutant(
        "interrupted-by-a-bug",
        "Ctrl-C at a question is reported as a bug in leased",
        (
            Edit(
                "daemon/cli/options.py",
                '    answer = ""\n    try:\n',
                '    import typer\n\n    return typer.confirm(question, err=True)\n    answer = ""\n    try:\n',
            ),
        ),
        on_either(
            "tests/daemon/cli/test_questions.py::test_ctrl_c_at_a_question_ends_the_command_quietly[Cancel 1 run?]"
        ),
    ),
)
