"""Mutants of the fence (rule 11)."""

from tests.mutants.mutant import Edit, Mutant, on_postgres, on_sqlite

FENCE = "tests/lease/fences/test_on_postgres.py::{}[{}]"

FENCES = (
    Mutant(
        "fence-by-a-plain-predicate",
        "lease_fence reads the row without locking its key, so the grant can end while the transaction is open",
        (Edit("lease/functions.sql", "\n      FOR KEY SHARE;", ";"),),
        on_postgres(
            FENCE.format("test_a_grant_does_not_end_while_a_transaction_is_fenced_with_it", "settled-READ COMMITTED"),
            FENCE.format("test_a_grant_does_not_end_while_a_transaction_is_fenced_with_it", "settled-REPEATABLE READ"),
            FENCE.format("test_a_fence_that_comes_too_late_raises", "settled-REPEATABLE READ"),
        ),
    ),
    Mutant(
        "fence-in-any-database",
        "a fence takes any database with the row of the lease for the lease's own, so it passes over a copy",
        (
            Edit(
                "lease/statements/fences.py", '    where = "" if identity is None else', '    where = "" if True else'
            ),
            Edit("lease/statements/fences.py", "if not answer.rows:", "if False:"),
        ),
        on_postgres("tests/lease/fences/test_copies.py::test_a_job_that_fences_in_a_copy_is_told_so"),
    ),
    Mutant(
        "fence-in-a-savepoint",
        "lease_fence takes any lock of the row for the transaction's own, also one that goes with a savepoint",
        (Edit("lease/functions.sql", "IF locker <> transaction THEN", "IF false THEN"),),
        on_postgres(FENCE.format("test_a_fence_in_a_savepoint_is_refused_in_any_language", "alone-READ COMMITTED")),
    ),
    Mutant(
        "programs-conflict-is-a-loss",
        "a serialization failure of what the program itself read and wrote is told as the loss of its lease",
        (
            Edit(
                "lease/statements/fences.py",
                "if code == SERIALIZATION_FAILURE and detail(error) is None:",
                "if code == SERIALIZATION_FAILURE:",
            ),
        ),
        on_postgres(
            "tests/lease/fences/test_table.py::test_on_postgresql"
            "[a conflict of the program's SERIALIZABLE failed-Connection on psycopg]"
        ),
    ),
    Mutant(
        "no-holder-in-the-key",
        "the unique key is (name, token): a release changes no key, so a fence under an older snapshot does not see it",
        (
            Edit(
                "lease/schema.py", 'UniqueConstraint("name", "token", "holder", ', 'UniqueConstraint("name", "token", '
            ),
        ),
        on_postgres(FENCE.format("test_a_fence_that_comes_too_late_raises", "released-REPEATABLE READ")),
    ),
    Mutant(
        "fence-that-reads",
        "SQLite's fence is a SELECT, which keeps no other writer out",
        (
            Edit(
                "lease/statements/fences.py",
                "over.send(update(lease).where(of_grant(grant)).values(token=lease.c.token)).changed != 1:",
                "not over.send(select(lease.c.name).where(of_grant(grant))).rows:",
            ),
        ),
        on_sqlite("tests/lease/fences/test_on_sqlite.py::test_from_the_fence_on_nobody_else_can_write"),
    ),
    Mutant(
        "fence-in-autocommit",
        "a fence takes a connection that commits each statement by itself, where it protects nothing",
        (Edit("lease/fences/proof.py", "if not connection.is_in_transaction():", "if False:"),),
        {
            **on_postgres("tests/lease/fences/test_table.py::test_on_postgresql_in_autocommit[psycopg.Connection]"),
            **on_sqlite("tests/lease/fences/test_table.py::test_on_sqlite_in_autocommit[Connection]"),
        },
    ),
    Mutant(
        "paused-transaction-kept",
        "a transaction keeps what it has locked for as long as its process is paused",
        (
            Edit(
                "lease/database/postgresql.py",
                'return f"BEGIN ISOLATION LEVEL READ COMMITTED; {bound}"',
                'return "BEGIN ISOLATION LEVEL READ COMMITTED"',
            ),
        ),
        on_postgres(
            "tests/lease/database/test_idle_transactions.py::"
            "test_a_transaction_may_be_idle_for_as_long_as_an_attempt_may_take_and_for_two_seconds_at_most[10.0-2s]"
        ),
    ),
)
