"""Mutants of how a grant ends before its time: its client is closed, or somebody breaks it (rule 6), or the program
ends that a replica is part of (rules 9 and 19).
"""

from tests.mutants.mutant import Edit, Mutant, on_each

CLOSING = "lease/core.py"
BREAKING = "lease/statements/endings.py"
BLOCK = "daemon/service/embedded.py"
EMBEDDED = "tests/daemon/service/embedding/test_embedded.py"

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
                "breaking.values(holder=mark_of(grant).holder, broken=encode(made))",
                "breaking.values(**ENDED, broken=encode(made))",
            ),
        ),
        on_each("tests/lease/test_breaks.py::test_the_next_is_granted_when_the_work_has_ended_and_no_earlier[{}]"),
    ),
)

EMBEDDING = (
    Mutant(
        "embedded-stops-at-once",
        "a replica inside a program gives its jobs no time to finish as the program ends",
        (Edit(BLOCK, "            self._replica.drain()\n", "            self._replica.stop_at_once()\n"),),
        on_each(f"{EMBEDDED}::test_a_job_at_the_end_of_the_block_may_finish_and_nothing_more_is_claimed[{{}}]"),
    ),
    Mutant(
        "embedded-cut-short",
        "a program that is cancelled does not wait until its replica has drained",
        (Edit(BLOCK, "CancelScope(shield=True)", "CancelScope()"),),
        on_each(f"{EMBEDDED}::test_a_scope_of_anyio_that_is_cancelled_leaves_jobs_their_grace[{{}}]"),
    ),
    Mutant(
        "embedded-changes-the-environment",
        "a replica inside a program prepares the environment of its jobs in that of the program",
        (Edit(BLOCK, "self._environment = dict(os.environ)", "self._environment = os.environ"),),
        on_each(f"{EMBEDDED}::test_signals_exits_logging_and_the_environment_stay_the_programs[{{}}]"),
    ),
    Mutant(
        "embedded-goes-on-after-a-failure",
        "a replica inside a program keeps its other runs, although it can't end one that has lost its lease",
        (
            Edit(BLOCK, "                    while replica.runs:  #", "                    while False:  #"),
            Edit(
                "daemon/service/replica.py",
                "        self.runs.stop()\n        self._deaths.close()\n",
                "        self._deaths.close()\n",
            ),
        ),
        on_each(f"{EMBEDDED}::test_work_that_outlives_its_lease_ends_the_replica_but_not_the_program[{{}}]"),
    ),
)
