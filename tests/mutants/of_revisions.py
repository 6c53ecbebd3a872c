"""Mutants of the order of definitions by their revision (rule 21)."""

from tests.mutants.mutant import Edit, Mutant, on_each

ORDER = "daemon/scheduling/generations/order.py"
REVISIONS = "tests/daemon/scheduling/test_revisions.py::{}[{{}}]"

OF_REVISIONS = (
    Mutant(
        "order-without-revisions",
        "definitions without a revision supersede those that have one",
        (Edit(ORDER, "return (rank_of(self.revision), self.number)", "return (0, self.number)"),),
        on_each(REVISIONS.format("test_one_that_forgets_it_supersedes_nobody_and_is_told_what_is_missing")),
    ),
    Mutant(
        "take-over-that-a-restart-undoes",
        "what takes over keeps its own revision, and is superseded again when a replica of the other restarts",
        (Edit(ORDER, "return max(known, key=rank_of)", "return revision"),),
        on_each(
            REVISIONS.format("test_what_takes_over_needs_no_revision_and_counts_as_that_of_the_one_it_takes_over_from")
        ),
    ),
)
