"""Mutants of SQLite alone: of processes that were forked, temporary tables, and the clock since boot."""

from tests.mutants.mutant import Edit, Mutant, on_sqlite

TOGETHER = "tests/lease/calls/test_bursts.py::test_those_who_wait_on_sqlite_look_and_leave_together"

ON_SQLITE = (
    Mutant(
        "forked-child-opens",
        "a process that was forked while an SQLite file was open opens one, which others do not see",
        (Edit("lease/database/file_connection.py", "        mark_this_process()\n", ""),),
        on_sqlite(
            *(
                "tests/lease/database/test_forks.py"
                f"::test_where_a_file_was_open_at_the_fork_the_child_can_use_no_sqlite[{way}]"
                for way in ("opened", "fenced")
            )
        ),
    ),
    Mutant(
        "fence-of-a-temporary-table",
        "a fence proves what a TEMP table of the program's says, if that has the name of the real one",
        (
            Edit(
                "lease/database/foreign.py",
                "execute(statement, values, execution_options=options)",
                "execute(statement, values)",
            ),
        ),
        on_sqlite("tests/lease/fences/test_table.py::test_a_temporary_table_of_that_name_proves_nothing[Connection]"),
    ),
    Mutant(
        "uptime-as-it-was-given",
        "a process that was suspended as it asked for a lease takes one that was renewed since for one of an earlier boot",
        (Edit("lease/database/dialects.py", " AND {SQLITE_NOW} - {{3}} >= {{2}} - {{1}}", ""),),
        on_sqlite(
            "tests/lease/database/test_sqlite_clock.py"
            "::test_a_statement_that_waited_since_it_was_given_the_time_takes_no_live_lease[]"
        ),
    ),
    Mutant(
        "boot-unknown-is-another",
        "a process that knows no id of the boot takes every lease for one of another boot, and others do so to it",
        (
            Edit(
                "lease/database/dialects.py",
                "NULLIF({{0}}, '') <> NULLIF({{4}}, '')",
                "{{0}} IS NOT {{4}}",
            ),
        ),
        on_sqlite(
            *(
                "tests/lease/database/test_sqlite_clock.py"
                f"::test_a_live_lease_is_nobody_elses_where_the_id_of_the_boot_is_hidden_from_one_of_them[{ids}]"
                for ids in ("an id-", "-an id")
            )
        ),
    ),
    Mutant(
        "looks-one-by-one",
        "of a client that waits for thousands of names, each waiter reads its own, again and again",
        (Edit("lease/database_store.py", "_READ_AT_ONCE = 500", "_READ_AT_ONCE = 1"),),
        on_sqlite(TOGETHER),
    ),
    Mutant(
        "leaves-one-by-one",
        "where thousands leave their queues at once, each writes in a transaction of its own",
        (Edit("lease/database_store.py", "\n_AT_ONCE = 100", "\n_AT_ONCE = 1"),),
        on_sqlite(TOGETHER),
    ),
)
