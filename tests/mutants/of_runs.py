"""Mutants of the daemon: completion, planning and stopping (rules 10, 13, 15 and 19)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either, on_postgres

LANE = "daemon/execution/writes/batcher.py"
RUN_ENDS = "daemon/execution/writes/transactions.py"
ENDS = "tests/daemon/execution/test_completion.py::{}[{{}}-finish]"

_ROWS_BY_ID = Edit(
    "daemon/store/statements/dialects.py",
    "return of.c.id == rows.c.number, agrees(of.c.state, RUNNING), *same_grant",
    "return of.c.id == rows.c.number, agrees(of.c.state, RUNNING)",
)
_ANY_RELEASE = Edit(
    RUN_ENDS,
    "    granted = lease.statements.lock(connection, [end.grant for end in free], lock_wait=patience)\n",
    "    granted = {end.grant for end in free}\n",
)

RUNS = (
    Mutant(
        "completion-by-id",
        "a run and its job run are ended by their ids, whoever holds them now",
        (_ROWS_BY_ID, _ANY_RELEASE),
        on_each(ENDS.format("test_a_zombie_finishes_nothing")),
    ),
    Mutant(
        "release-that-released-nothing",
        "completion goes on even though its release found that the grant had ended",
        (_ANY_RELEASE,),
        on_each(ENDS.format("test_a_zombie_finishes_nothing")),
    ),
    Mutant(
        "rows-by-id",
        "the lease is released by its grant, but run and job run are ended by their ids",
        (_ROWS_BY_ID,),
        on_each(ENDS.format("test_a_run_that_shows_another_grant_than_the_lease_is_not_ended")),
    ),
    Mutant(
        "set-that-fails-its-neighbours",
        "a write that the database refuses fails all that are written with it",
        (
            Edit(
                LANE,
                "            if len(all_) == 1:\n                all_[0].fail(error)\n                return\n",
                "            for one in all_:\n                one.fail(error)\n            return\n",
            ),
        ),
        on_either(
            "tests/daemon/execution/writes/test_batcher.py::"
            "test_a_database_that_is_away_is_told_to_each_and_a_mistake_of_one_only_to_that_one"
        ),
    ),
    Mutant(
        "set-that-waits-for-a-row",
        "a set waits for a run or an attempt that another transaction has locked, and with it all its neighbours",
        (
            Edit(
                "daemon/store/statements/claims.py",
                "with_for_update(of=table, key_share=True, skip_locked=not waits)",
                "with_for_update(of=table, key_share=True)",
            ),
        ),
        on_postgres("tests/daemon/execution/writes/test_sets.py::test_a_set_waits_for_no_row[its attempt]"),
    ),
    Mutant(
        "end-without-the-schedules-lock",
        "runs end without a lock on their schedules: a successor that is planned meanwhile waits for ever",
        (
            Edit(
                RUN_ENDS,
                "    schedules = statements.claims.lock_schedules(connection, {end.schedule for end in ends}, waits=waits)\n",
                "    schedules = dict.fromkeys([end.schedule for end in ends], 0)\n",
            ),
        ),
        on_postgres(
            "tests/daemon/execution/writes/test_sets.py::"
            "test_of_a_set_that_waits_for_its_schedule_the_successor_becomes_due"
        ),
    ),
    Mutant(
        "begun-after-trust",
        "a function in a replica that was paused since its claim is called, although its lease may be another's by now",
        (Edit("daemon/jobs/runners.py", "if boottime() >= self._trusted_until():", "if False:"),),
        on_either(
            "tests/daemon/execution/test_attempt.py::"
            "test_a_function_in_a_replica_that_was_paused_since_its_claim_is_not_called[task]"
        ),
    ),
    Mutant(
        "key-of-the-attempt",
        "the idempotency key is another one in each attempt: what a crash hit after its commit is done twice",
        (
            Edit(
                "daemon/execution/attempt.py",
                "claimed.schedule, claimed.occurrence, job.name),",
                'claimed.schedule, claimed.occurrence, f"{job.name}/{self._number}"),',
            ),
        ),
        on_either(
            "tests/daemon/execution/test_idempotency_key.py::"
            "test_what_resumes_after_a_loss_and_what_is_tried_again_has_the_key_of_the_first_attempt"
        ),
    ),
    Mutant(
        "claim-beside-a-drain",
        "a claim that waits for its set is made though its replica was told to drain meanwhile",
        (
            Edit(
                "daemon/service/runs_at_work.py",
                " if self._may_claim() else 0\n",
                "\n",
            ),
        ),
        on_either("tests/daemon/service/test_replica.py::test_a_drain_while_a_claim_waits_for_its_set_claims_nothing"),
    ),
    Mutant(
        "schedule-moved-on-first",
        "a schedule is moved on in one transaction and its runs are made in the next: a crash in between loses instants",
        (
            Edit(
                "daemon/scheduling/plan_due.py",
                '    overlapping = [row for row in rows if row["reason"] == "overlap"]\n',
                "    statements.schedule.move_on(connection, application, [_moved_on(decision) for decision in decisions])\n"
                '    connection.exec_driver_sql("COMMIT")\n'
                '    if connection.dialect.name == "sqlite":\n'
                '        connection.exec_driver_sql("BEGIN IMMEDIATE")\n'
                '    overlapping = [row for row in rows if row["reason"] == "overlap"]\n',
            ),
        ),
        on_each(
            "tests/daemon/scheduling/test_planning_crashes.py::test_a_crash_before_any_statement_loses_and_doubles_no_instant[{}]"
        ),
    ),
    Mutant(
        "failure-that-disappears",
        "a job that failed and is gone from the definition is forgotten, and its run succeeds",
        (
            Edit(
                "daemon/execution/run_execution.py",
                "Failures(tuple(self._resumption.failed_for_good()), tuple(self._resumption.gone()))",
                "Failures(tuple(self._resumption.failed_for_good()))",
            ),
        ),
        on_each(
            "tests/daemon/service/test_service.py::test_a_job_that_failed_and_is_gone_from_the_file_fails_its_run[{}]"
        ),
    ),
    Mutant(
        "heartbeat-stopped-before-the-work",
        "a replica that is told to stop ends its heartbeat first and only then lets its jobs finish",
        (
            Edit(
                "daemon/service/replica.py",
                "        if self.runs and not self._at_once:\n",
                "        await self._context.client.__aexit__(None, None, None)\n"
                "        if self.runs and not self._at_once:\n",
            ),
        ),
        on_each(
            "tests/stories/test_stopping.py::test_on_sigterm_a_running_job_finishes_and_nothing_more_is_claimed[{}]"
        ),
    ),
    Mutant(
        "put-off-for-a-day",
        "a run that was put back by a clock that was a day ahead waits for that day",
        (
            Edit(
                "daemon/service/check_in.py",
                "        start_put_off(connection, application, self._context.rows.application.schedules)\n",
                "",
            ),
        ),
        on_each(
            "tests/daemon/service/test_replica.py::"
            "test_what_a_clock_that_had_jumped_put_off_starts_with_a_sign_of_life_by_a_time_that_can_be_trusted"
        ),
    ),
    Mutant(
        "later-is-pulled-forward",
        "what is to start in more than an hour starts at once, for its jitter too, as if a clock had put it off",
        (
            Edit(
                "daemon/scheduling/trusted_time.py",
                "    if backend_of(connection).has_own_clock:\n        return 0\n",
                "",
            ),
            Edit(
                "daemon/store/statements/run.py",
                "        or_(~_of_instant, _beyond_jitter),\n",
                "",
            ),
        ),
        on_each(
            "tests/daemon/service/test_later_starts.py::"
            "test_a_replica_pulls_nothing_forward_that_is_meant_to_start_in_hours[{}]"
        ),
    ),
    Mutant(
        "waiting-for-a-retry-is-well",
        "a run that waits for its retry counts as well, whatever is skipped for it",
        (
            Edit(
                "daemon/store/views/lately.py",
                "jobs.c.failures >= IN_A_ROW, skipped > 0",
                "jobs.c.failures >= IN_A_ROW",
            ),
        ),
        on_each(
            "tests/daemon/store/test_problems.py::"
            "test_a_run_fails_that_waits_for_its_retry_while_later_times_are_skipped_for_it[{}]"
        ),
    ),
    Mutant(
        "begun-is-well",
        "a schedule whose last run failed counts as well as soon as the next one is at work",
        (
            Edit(
                "daemon/store/views/problems.py",
                'if schedule.finished_state == "failed":',
                'if schedule.last_state == "failed":',
            ),
        ),
        on_each(
            "tests/daemon/store/test_problems.py::"
            "test_it_fails_until_a_run_has_succeeded_whatever_is_at_work_or_waits[{}-running]"
        ),
    ),
    Mutant(
        "green-since-then",
        "a failure since the moment that a monitor names is no problem after a later run has succeeded",
        (Edit("daemon/answers/status.py", "if since is None else read_past(", "if True else read_past("),),
        on_either(
            "tests/daemon/cli/test_commands.py::"
            "test_a_check_since_a_moment_is_1_after_a_run_that_failed_although_all_is_well"
        ),
    ),
    Mutant(
        "retried-since-then",
        "a run that failed since then is a problem although its retry has succeeded",
        (Edit("daemon/store/views/lately.py", ", ~exists().where(_next.c.retry_of == run.c.id))", ", literal(True))"),),
        on_each("tests/daemon/store/test_past.py::test_if_a_run_was_retried_only_the_retry_counts[{}]"),
    ),
)

LATER = "tests/daemon/operations/test_trigger_at.py::{}[{{}}]"
PROMOTIONS = "daemon/store/statements/claims.py"
REQUESTING = "daemon/operations/trigger.py"
UNGUARDED = Edit(
    "daemon/store/migrations/versions/0009_acts.py",
    '"AND NEW.place_at IS NOT NULL AND OLD',
    '"AND 1 = 0 AND NEW.place_at IS NOT NULL AND OLD',
)

REQUESTS = (
    Mutant(
        "promotion-of-the-unplaced",
        "the end of another run starts one that is requested for later",
        (Edit(PROMOTIONS, ", placed(_waiting)\n", "\n"), UNGUARDED),
        on_each(LATER.format("test_the_end_of_another_run_does_not_start_it")),
    ),
    Mutant(
        "older-replicas-promote-the-unplaced",
        "a replica of an older version lets a run start that is requested for later",
        (UNGUARDED,),
        on_each(LATER.format("test_a_replica_of_an_older_version_does_not_let_it_start")),
    ),
    Mutant(
        "unplaceable-hide-others",
        "many runs of a schedule whose definition cannot be read hide those of others",
        (
            Edit(
                "daemon/scheduling/plan_due.py",
                "        if overlaps or len(due) < MOST_PLACED:\n            break\n",
                "        break\n",
            ),
        ),
        on_each(LATER.format("test_many_whose_definition_cannot_be_read_hide_no_run_of_another_schedule")),
    ),
    Mutant(
        "unplaced-counts-as-unfinished",
        "instants are skipped for a run that is requested for later",
        (Edit("daemon/store/statements/schedule.py", "unfinished(), placed(), run", "unfinished(), run"),),
        on_each(LATER.format("test_no_instant_is_skipped_for_it")),
    ),
    Mutant(
        "place-beside-the-unfinished",
        "a run whose moment has come starts beside an unfinished one",
        (Edit("daemon/scheduling/plan_due.py", "[(run_id, waits[name]) for", "[(run_id, False) for"),),
        on_each(LATER.format("test_behind_an_unfinished_run_it_waits_for_that")),
    ),
    Mutant(
        "key-without-its-run",
        "a key is not recorded with its run",
        (
            Edit(
                REQUESTING,
                "        yield requests.give_key(wanted.application, wanted.schedule, wanted.key, run_id)\n",
                "        pass\n",
            ),
        ),
        on_each(
            "tests/daemon/operations/test_trigger.py::test_the_same_key_is_the_same_run_also_when_that_is_pruned[{}]"
        ),
    ),
)

BACKFILL = "tests/daemon/operations/test_backfill.py::{}[{{}}]"

BACKFILLS = (
    Mutant(
        "backfill-ahead-of-the-schedule",
        "a run of a backfill starts although another run of its schedule is not over",
        (
            Edit(
                "daemon/store/statements/requests.py",
                "and_(_at_work < backfill.c.at_most, ~_others)",
                "and_(_at_work < backfill.c.at_most)",
            ),
        ),
        on_each(BACKFILL.format("test_a_requested_run_goes_ahead_of_what_a_backfill_has_not_placed_yet")),
    ),
    Mutant(
        "instants-skipped-for-a-backfill",
        "an instant is skipped because a run of a backfill is at work",
        (Edit("daemon/store/statements/schedule.py", ", run.c.backfill.is_(None)).limit(1)\n", ").limit(1)\n"),),
        on_each(BACKFILL.format("test_the_own_runs_of_a_schedule_go_ahead_and_are_not_skipped_for_a_backfill")),
    ),
    Mutant(
        "stretch-over-what-was-taken-out",
        "a counted row goes on over instants that were taken out of it",
        (Edit("daemon/operations/backfill.py", "if row.stretch_from == done.row.first:", "if False:"),),
        on_each(
            BACKFILL.format(
                "test_a_stretch_goes_on_rightly_behind_instants_that_were_taken_out_of_its_counted_row"
            ).replace("{}", "{}-taken3")
        ),
    ),
)
