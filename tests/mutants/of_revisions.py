"""Mutants of the order of definitions by their revision (rule 21)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

BRING = "daemon/scheduling/deploys/bring.py"
ORDER = "daemon/scheduling/generations/order.py"
RETIRING = "tests/daemon/scheduling/test_retiring_all.py::{}[{{}}]"
SUPERSEDING = "tests/daemon/scheduling/test_superseding.py::{}[{{}}]"
REVISIONS = "tests/daemon/scheduling/test_revisions.py::{}[{{}}]"

OF_REVISIONS = (
    Mutant(
        "order-without-revisions",
        "definitions without a revision supersede those that have one",
        (Edit(ORDER, "return (rank_of(self.counted), self.number)", "return (0, self.number)"),),
        on_each(REVISIONS.format("test_one_that_forgets_it_supersedes_nobody_and_is_told_what_is_missing")),
    ),
    Mutant(
        "another-file-of-the-name",
        "definitions that would retire all that living replicas run are not refused",
        (Edit(BRING, "            raise RetiresAll(why)\n", "            pass\n"),),
        on_each(RETIRING.format("test_it_goes_by_what_living_replicas_run_and_not_by_what_the_database_has")),
    ),
    Mutant(
        "terminal-that-looks-before-only",
        "a start at a terminal looks at who lives before it begins, and not where it writes its definitions",
        (Edit(BRING, "        if guarded and (found", "        if False and (found"),),
        on_each(SUPERSEDING.format("test_of_two_at_once_the_first_one_rules_and_the_second_is_refused")),
    ),
    Mutant(
        "laptop-that-supersedes-production",
        "a start at a terminal supersedes what living replicas run, without a take-over",
        (Edit("daemon/cli/commands/run.py", "guarded = at_a_terminal() and", "guarded = False and"),),
        on_either(
            "tests/daemon/cli/generations/test_superseding.py::"
            "test_a_take_over_says_that_it_is_meant_and_yes_that_nobody_is_at_the_terminal"
        ),
    ),
    Mutant(
        "embedded-at-a-terminal",
        "a program that is started at a terminal supersedes, with its replica, what living ones run",
        (Edit("daemon/service/embedded.py", "guarded=at_a_terminal()", "guarded=False"),),
        on_each(
            "tests/daemon/service/embedding/test_embedded.py::"
            "test_at_a_terminal_it_supersedes_nothing_that_living_replicas_run_but_by_a_take_over[{}]"
        ),
    ),
    Mutant(
        "revision-that-never-goes",
        "a revision that nobody runs counts after a take-over under a lower one",
        (
            Edit(
                "daemon/store/statements/generation.py",
                "update(generation).where(*which).values(discounted_at=now())",
                "update(generation).where(*which).values(discounted_at=null())",
            ),
        ),
        on_each(
            REVISIONS.format(
                "test_one_that_was_too_high_by_mistake_goes_by_a_take_over_and_the_next_one_follows_by_itself"
            )
        ),
    ),
    Mutant(
        "take-over-that-a-restart-undoes",
        "what takes over keeps its own revision, and is superseded again when a replica of the other restarts",
        (Edit(ORDER, "return max(known, key=rank_of)", "return revision"),),
        on_each(
            REVISIONS.format("test_what_takes_over_needs_no_revision_and_counts_as_that_of_the_one_it_takes_over_from")
        ),
    ),
    Mutant(
        "required-revision-is-ignored",
        "a replica claims runs although one of a higher revision is ready, and its definitions require that",
        (
            Edit(
                "daemon/scheduling/deploys/rollout.py",
                "        if self._own is None:\n",
                "        if True:\n",
            ),
        ),
        on_either(
            "tests/daemon/service/test_required_revision.py::"
            "test_a_straggler_claims_nothing_as_long_as_a_replica_of_a_higher_one_is_ready"
        ),
    ),
    Mutant(
        "mistake-holds-up-what-requires-a-revision",
        "a revision that counts no more keeps the replicas of the current definitions from claiming",
        (
            Edit(
                "daemon/store/statements/replica.py",
                "select(func.max(counted(replica.c))).where(",
                "select(func.max(replica.c.revision)).where(",
            ),
        ),
        on_either(
            "tests/daemon/service/test_required_revision.py::"
            "test_a_revision_that_a_take_over_made_count_no_more_holds_nobody_up_and_claims_nothing"
        ),
    ),
    Mutant(
        "superseded-holds-up-what-supersedes-it",
        "after a rollback for good, one of the newer release that comes back keeps the current ones from claiming",
        (
            Edit(
                "daemon/store/statements/replica.py",
                ".where(*ready, not_superseded(replica.c, literal(digest)))",
                ".where(*ready)",
            ),
        ),
        on_either(
            "tests/daemon/service/test_required_revision.py::"
            "test_after_a_rollback_for_good_one_of_the_newer_that_comes_back_holds_nobody_up"
        ),
    ),
    Mutant(
        "release-of-file-alone",
        "the hash that names a release has no modules in it, so that a fix in one is not seen",
        (
            Edit(
                "daemon/definitions/sources/schedule_set.py",
                "    for name, file, module in files:\n",
                "    for name, file, module in ():\n",
            ),
        ),
        on_either(
            "tests/daemon/definitions/test_contents.py::"
            "test_a_fix_in_a_function_or_in_a_module_that_file_imports_is_another_release"
        ),
    ),
)
