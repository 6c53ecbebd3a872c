"""Mutants of what the fault of one job may cost others, and of what a row says of it (rules 13, 16, 18 and 25)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either, on_postgres

CLAIM = "tests/daemon/execution/test_claim.py::{}[{{}}]"
BLOCKING = "tests/daemon/execution/test_blocking.py::{}"

NEIGHBOURS = (
    Mutant(
        "last-chances-together",
        "runs that were abandoned twice are at work beside each other: who kills its replica takes them with it",
        (Edit("daemon/store/statements/claims.py", "            apart,\n", ""),),
        on_each(CLAIM.format("test_of_runs_abandoned_twice_one_is_at_work_in_a_replica")),
    ),
    Mutant(
        "each-run-is-the-first",
        "that runs of a schedule ended replicas counts for those runs alone, and not for its next one",
        (
            Edit(
                "daemon/store/statements/dialects.py",
                "    return or_(of.c.abandoned >= MOST_ABANDONED - 1, before >= MOST_ABANDONED - 1)\n",
                "    return or_(of.c.abandoned >= MOST_ABANDONED - 1)\n",
            ),
        ),
        on_each(CLAIM.format("test_a_new_run_of_a_schedule_that_ended_replicas_is_on_its_last_chance_too")),
    ),
    Mutant(
        "abandoned-before-it-began",
        "a run of which no job was begun uses up an attempt when its replica dies",
        (
            Edit(
                "daemon/recovery/settle.py",
                "    lived = [run for run in runs if run.lived or not run.begun]\n"
                "    died = [run for run in runs if run.begun and not run.lived]\n",
                "    lived = [run for run in runs if run.lived]\n    died = [run for run in runs if not run.lived]\n",
            ),
        ),
        {
            kind: tuple(
                f"tests/daemon/recovery/test_settle.py::test_an_attempt_whose_work_was_not_begun_uses_up_nothing[{kind}-{job}]"
                for job in ("False", "True")
            )
            for kind in ("postgres", "sqlite")
        },
    ),
    Mutant(
        "blocked-time-counts",
        "the timeout of an async job counts the time for which another one blocks their loop",
        (
            Edit(
                "daemon/execution/attempt.py",
                "        return monotonic() - self._began - (self._attempt.lost_to_others() - self._before)\n",
                "        return monotonic() - self._began\n",
            ),
        ),
        on_either(BLOCKING.format("test_the_time_for_which_another_blocks_counts_against_no_timeout")),
    ),
    Mutant(
        "end-that-is-not-recorded",
        "a replica that ends itself for a job that blocks does not record that first: its neighbours count as abandoned",
        (
            Edit(
                "daemon/service/runs_at_work.py",
                "await database.write(lambda connection: registry.mark_stopped(connection, client.holder))",
                "await database.write(lambda _: None)",
            ),
        ),
        on_either(BLOCKING.format("test_where_only_the_end_of_the_process_ends_it_the_others_use_up_nothing")),
    ),
    Mutant(
        "grace-after-the-answer",
        "a replica that stops waits for the database's answer before it tells its jobs to end",
        (
            Edit(
                "daemon/service/replica.py",
                "            asyncio.get_running_loop().call_later(self._settings.grace, self.runs.stop)\n",
                "",
            ),
        ),
        on_postgres(
            "tests/stories/test_time_to_stop.py::test_a_database_that_does_not_answer_does_not_hold_up_the_end_either[at work]"
        ),
    ),
    Mutant(
        "settlement-locks-others",
        "who settles a grant, or ends the dead, locks rows in which only the name is that of one of them",
        (Edit("lease/statements/endings.py", ".where(named, _exactly)", ".where(named)"),),
        on_postgres(
            "tests/lease/test_granting_postgres.py::test_settling_and_ending_the_dead_lock_no_row_of_another_grant"
        ),
    ),
    Mutant(
        "rest-while-behind",
        "a replica that has more to plan rests all the same, for as long as a poll",
        (
            Edit(
                "daemon/service/replica.py",
                "        elif not (agenda.due and self.planner.has_more):\n",
                "        else:\n",
            ),
        ),
        on_either("tests/daemon/scheduling/test_catching_up.py::test_a_replica_that_has_more_to_plan_does_not_rest"),
    ),
    Mutant(
        "loss-without-a-word",
        "a loss that could not be recorded while the database was away is not recorded afterwards",
        (Edit("daemon/execution/context.py", "        self._notes.append(note)\n", "        pass\n"),),
        on_either(
            "tests/daemon/execution/test_losses.py::test_what_cannot_be_recorded_while_the_database_is_away_is_recorded_afterwards"
        ),
    ),
    Mutant(
        "overlap-with-nobody",
        "an instant that is skipped does not name the run that was in its way",
        (
            Edit(
                "daemon/scheduling/plan_due.py",
                "_named(connection, application, overlapping))\n",
                "overlapping)\n",
            ),
        ),
        on_each(
            "tests/daemon/store/test_why.py::test_an_overlapping_instant_names_the_run_that_was_in_its_way_and_who_had_it[{}]"
        ),
    ),
    Mutant(
        "missed-for-no-reason",
        "an instant that was missed does not say since when nothing was up",
        (
            Edit(
                "daemon/scheduling/plan_due.py",
                '"away_from": away_from if planned.reason == "missed" else None,',
                '"away_from": None,',
            ),
        ),
        on_each(
            "tests/daemon/store/test_why.py::test_a_missed_instant_says_from_when_to_when_nothing_was_up[{}-430.0-430.0]"
        ),
    ),
    Mutant(
        "exit-ends-the-loop",
        "an exit in a task or a callback of an async job ends the event loop that it shares",
        (
            Edit(
                "lease/background.py",
                "        while not self._stopping:\n            try:\n                self._loop.run_forever()\n",
                "        if not self._stopping:\n            try:\n                self._loop.run_forever()\n",
            ),
        ),
        on_either(
            "tests/daemon/jobs/test_task_thread.py::test_what_asyncio_lets_end_its_loop_ends_no_other_job[exit_in_a_task]"
        ),
    ),
    Mutant(
        "threads-in-a-hurry",
        "what tasks and threads log waits for the replica's event loop without a bound",
        (
            Edit(
                "daemon/jobs/runners.py",
                "            self._taken.wait_for(lambda: len(self._waiting) < _MOST_WAITING, _LONGEST_WAIT)\n",
                "",
            ),
        ),
        on_either(
            "tests/daemon/jobs/test_inside.py::"
            "test_a_job_waits_while_the_loop_is_behind_with_what_it_logs_and_reports[thread]"
        ),
    ),
    Mutant(
        "stopped-and-alive-again",
        "a sign of life that comes late takes back that a replica has recorded its end",
        (
            Edit(
                "daemon/store/statements/replica.py",
                '        "state": case((has_stopped, replica.c.state), else_=state),\n',
                '        "state": state,\n',
            ),
        ),
        on_each(
            "tests/daemon/recovery/test_settle.py::"
            "test_a_sign_of_life_that_comes_late_does_not_take_back_that_a_replica_has_stopped[{}-running]"
        ),
    ),
    Mutant(
        "last-chance-for-nothing",
        "a claim that found a run on its last chance takes no other, though it did not get that one's lease",
        (
            Edit(
                "daemon/execution/claim.py",
                "apart.isdisjoint(granted)",
                "not apart",
            ),
        ),
        on_postgres(
            "tests/daemon/execution/test_claim.py::test_a_run_on_its_last_chance_whose_lease_is_fenced_keeps_no_other_waiting"
        ),
    ),
    Mutant(
        "startup-cleanup-by-the-lease-alone",
        "startup cleanup passes a stale lease on, and leaves what is left of its work on this machine alone",
        (Edit("daemon/recovery/settle.py", "        await self.settle_proven_dead(at_startup=True)\n", ""),),
        on_either(
            "tests/daemon/recovery/test_settler.py::test_startup_cleanup_ends_what_is_left_of_work_whose_lease_is_stale"
        ),
    ),
)
