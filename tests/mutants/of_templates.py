"""Mutants of the processes from which children are forked (rules 18, 20 and 22)."""

from tests.mutants.mutant import Edit, Mutant, on_either

TEMPLATES = "tests/daemon/jobs/test_templates.py::{}"

FORKS = (
    Mutant(
        "forked-keeper-without-its-replica",
        "a keeper that was forked watches its socket alone, which a fork of its replica may still have open",
        (
            Edit(
                "daemon/jobs/processes/keeper.py",
                "for descriptor in (self.wake, control, replica):",
                "for descriptor in (self.wake, control):",
            ),
        ),
        on_either(
            "tests/daemon/jobs/test_keeper.py::test_the_tree_is_killed_within_a_second_when_the_replica_is_killed"
            "[forked-a fork of it holds the socket]"
        ),
    ),
    Mutant(
        "forks-share-a-connection",
        "what FILE has left open when it was loaded is shared by all that is forked",
        (
            Edit(
                "daemon/jobs/templates/loaded.py", "(left := remains(before)) is not None", "(left := None) is not None"
            ),
        ),
        on_either(
            *(
                TEMPLATES.format(f"test_a_file_that_leaves_what_no_fork_can_have_is_loaded_by_each_child[{kind}]")
                for kind in ("thread", "socket", "sqlite", "process")
            )
        ),
    ),
    Mutant(
        "template-of-another-file",
        "a template loads FILE as it is, whatever its replica has loaded",
        (Edit("daemon/jobs/templates/loaded.py", 'application.stamp != told["stamp"]', "not application.stamp"),),
        on_either(TEMPLATES.format("test_a_file_that_has_changed_before_its_template_loaded_it_is_not_forked")),
    ),
    Mutant(
        "fork-without-a-mark",
        "a forked child does not show whose it is, so that no cleaner finds it when its keeper is gone",
        (Edit("daemon/jobs/templates/loaded.py", "        mark.show(MARK, environment[MARK.encode()])\n", ""),),
        on_either(TEMPLATES.format("test_a_forked_child_shows_the_mark_of_its_keeper_as_one_that_was_started_does")),
    ),
)
