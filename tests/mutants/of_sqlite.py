"""Mutants of SQLite alone: of processes that were forked."""

from tests.mutants.mutant import Edit, Mutant, on_sqlite

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
)
