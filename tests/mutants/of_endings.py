"""Mutants of how a grant ends before its time: its client is closed, or somebody breaks it (rule 6)."""

from tests.mutants.mutant import Edit, Mutant, on_each

CLOSING = "lease/closing.py"
BREAKING = "lease/statements/breaks.py"

ENDINGS = (
    Mutant(
        "closing-before-the-work-has-ended",
        "a client that is closed releases what it holds at once, while the work under it is being stopped",
        (
            Edit(CLOSING, "                await self._quiet.wait()\n", "                pass\n"),
            Edit(CLOSING, "for state in held if state not in self._working and not state.over", "for state in held"),
        ),
        on_each(
            "tests/lease/test_closing.py::test_the_block_of_a_hold_ends_before_another_client_is_granted_the_lease[{}]"
        ),
    ),
    Mutant(
        "break-frees-at-once",
        "a broken lease is free at once, while the work under it has not been told yet",
        (
            Edit(
                BREAKING,
                "from ..schema import lease, of_grant\n",
                "from ..schema import lease, of_grant\nfrom .endings import _ENDED\n",
            ),
            Edit(
                BREAKING,
                "breaking.values(holder=mark_of(grant).holder, broken=encode(made))",
                "breaking.values(**_ENDED, broken=encode(made))",
            ),
        ),
        on_each("tests/lease/test_breaks.py::test_the_next_is_granted_when_the_work_has_ended_and_no_earlier[{}]"),
    ),
)
