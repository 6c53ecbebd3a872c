"""Mutants of what FILE is run, and of how replicas are replaced (rule 22)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

CHILD = "tests/daemon/jobs/test_child_main.py::{}"
CHANGED = "test_a_function_of_a_schedule_that_is_another_now_is_not_run"

RELOADS = (
    Mutant(
        "child-runs-what-is-there",
        "a child runs the function of that name, although its schedule is another one in FILE by now",
        (
            Edit(
                "daemon/jobs/child_main.py",
                "schedule.name == brief.schedule and digest_of(schedule.keyed(brief.row or schedule.name)) == brief.digest",
                "schedule.name == brief.schedule",
            ),
        ),
        on_either(CHILD.format(CHANGED)),
    ),
    Mutant(
        "file-that-changed-fails-the-job",
        "an attempt that ran nothing because FILE has changed counts as failed",
        (Edit("daemon/jobs/runners.py", 'state, error = "not run", ended', "error = ended"),),
        on_either(CHILD.format(CHANGED)),
    ),
    Mutant(
        "changed-file-tried-again-at-once",
        "a replica whose FILE has changed claims the runs of that schedule again and again",
        (Edit("daemon/execution/run_execution.py", "self._set_aside.put(self._schedule.name)", "pass"),),
        on_each(
            "tests/stories/test_sighup.py::"
            "test_a_function_whose_file_has_changed_goes_to_a_replica_that_has_it_as_it_was[{}]"
        ),
    ),
    Mutant(
        "replica-runs-an-unchecked-file",
        "a replica of a supervisor runs FILE as it is, whatever was checked",
        (
            Edit(
                "daemon/service/outside/outside.py",
                "if self.digest is None or application.checked_digest == self.digest:",
                "if application.digest:",
            ),
        ),
        on_either(
            "tests/daemon/service/test_link.py::"
            "test_it_refuses_a_file_that_the_supervisor_has_not_checked_and_says_so_at_both_ends"
        ),
    ),
    Mutant(
        "replica-reads-settings-again",
        "a replica that a supervisor restarts reads its settings again, whatever was checked",
        (Edit("daemon/cli/commands/run.py", "    if checked is None:\n", "    if True:\n"),),
        on_each(
            "tests/stories/weeks/test_settings.py::"
            "test_a_replica_that_restarts_after_an_edit_runs_with_what_was_checked[{}]"
        ),
    ),
    Mutant(
        "any-url-of-the-file-is-taken",
        "a replica that a supervisor restarts takes whatever URL its file holds, another database's too",
        (Edit("daemon/service/outside/file_check.py", "    if now != before:\n", "    if False:\n"),),
        on_either(
            "tests/daemon/service/test_checked_settings.py::test_any_other_change_of_the_url_waits_for_sighup[database]"
        ),
    ),
    Mutant(
        "old-one-drains-too-early",
        "a replica drains before the one that takes its place is ready",
        (
            Edit(
                "daemon/service/supervision/supervisor.py",
                "            if not await new.settled(within):\n",
                "            if new.end.done():\n",
            ),
        ),
        on_either(
            "tests/daemon/service/test_supervisor.py::"
            "test_a_new_replica_that_is_not_ready_in_time_ends_and_the_old_ones_go_on"
        ),
    ),
    Mutant(
        "earlier-self-stays-alive",
        "a replica that started anew leaves its earlier self recorded as running",
        (
            Edit(
                "daemon/service/parts.py",
                "        if earlier_holder is not None:\n",
                "        if False:\n",
            ),
        ),
        on_each(
            "tests/daemon/service/test_registration.py::"
            "test_one_that_started_anew_says_that_its_earlier_self_has_ended_where_that_could_not[{}]"
        ),
    ),
)
