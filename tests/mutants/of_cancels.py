"""Mutants of the mark of a cancelled run, each of which brings one to life again (rule 23)."""

from tests.mutants.mutant import Edit, Mutant, on_each

CLAIMS = "daemon/store/statements/sets/claims.py"
STRANDED = "daemon/store/statements/stranded.py"
MARKED = "tests/daemon/execution/test_marked.py::{}[{{}}{}]"
SETTLED = "test_a_marked_run_whose_holder_is_gone_is_settled_as_cancelled"

CANCELS = (
    Mutant(
        "claim-ignores-the-mark",
        "a claim takes a marked run that waits",
        (Edit(CLAIMS, "            ~marked(),\n", ""),),
        on_each(
            MARKED.format(
                "test_a_marked_run_that_waits_all_the_same_is_not_claimed_and_the_next_replica_that_looks_ends_it", ""
            )
        ),
    ),
    Mutant(
        "start-ignores-the-mark",
        "the next job of a marked run starts",
        (Edit("daemon/store/statements/sets/starts.py", "        ~marked(),\n", ""),),
        on_each(MARKED.format("test_no_job_of_a_marked_run_starts", "")),
    ),
    Mutant(
        "hand-back-ignores-the-mark",
        "a marked run is put back to pending by its holder",
        (Edit("daemon/store/statements/sets/ends.py", ".values(unless_marked(values, remark))", ".values(values)"),),
        on_each(
            MARKED.format("test_a_marked_run_that_would_go_on_later_ends_as_cancelled_instead", "-hand back"),
        ),
    ),
    Mutant(
        "settlement-ignores-the-mark",
        "a marked run whose holder died is put back to pending",
        (Edit(STRANDED, ".values(**unless_marked(values))", ".values(**values)"),),
        on_each(MARKED.format(SETTLED, "-died")),
    ),
    Mutant(
        "settlement-of-the-living-ignores-the-mark",
        "a marked run whose holder lost the lease is put back to pending",
        (
            Edit(
                STRANDED,
                "    values = unless_marked(\n",
                "    values = dict(\n",
            ),
        ),
        on_each(MARKED.format(SETTLED, "-lost its lease")),
    ),
)
