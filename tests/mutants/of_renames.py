"""Mutants of renames: what a schedule takes along under another name (rule 17)."""

from tests.mutants.mutant import Edit, Mutant, on_each

RENAMES = "daemon/scheduling/renames.py"
TEST = "tests/daemon/scheduling/test_renames.py::{}"

OF_RENAMES = (
    Mutant(
        "renamed-lease",
        "a renamed schedule runs under the lease, and with the keys, of its new name",
        (
            Edit(
                "daemon/definitions/schedule.py",
                'return self if key == self.name else self.model_copy(update={"name": key})',
                "return self",
            ),
        ),
        on_each(TEST.format("test_what_is_due_after_a_rename_has_the_lease_that_it_had[{}]")),
    ),
    Mutant(
        "renamed-without-its-pause",
        "a rename ends the pause of its schedule",
        (
            Edit(
                "daemon/store/statements/acting/renames.py",
                '"synced_at": row["at"]}',
                '"synced_at": row["at"], "paused_at": None}',
            ),
        ),
        on_each(TEST.format("test_a_rename_is_no_change_and_takes_the_pause_along[{}]")),
    ),
    Mutant(
        "renamed-for-good",
        "a file that defines the former name again gets another row, and what is under way is retired",
        (
            Edit(
                RENAMES,
                "            own = had(one.name)\n",
                "            own = None\n",
            ),
        ),
        on_each(TEST.format("test_a_renamed_schedule_keeps_its_row[{}-a rollback]")),
    ),
    Mutant(
        "renamed-over-another",
        "a rename takes the row of a schedule away that has run under the new name",
        (Edit(RENAMES, "            if own.name in with_history:\n", "            if False:\n"),),
        on_each(TEST.format("test_nothing_is_merged_where_there_is_history_under_both_names[{}]")),
    ),
)
