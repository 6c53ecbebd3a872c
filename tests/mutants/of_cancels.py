"""Mutants of what people do: of the mark of a cancelled run, each of which brings one to life again; and of pauses,
each of which loses an instant, runs one, or does something twice; and of retries, and cancels of many runs
(rules 13, 16 and 23).
"""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

CLAIMS = "daemon/store/statements/claims.py"
STRANDED = "daemon/store/statements/stranded.py"
MARKED = "tests/daemon/execution/test_marked.py::{}[{{}}{}]"
SETTLED = "test_a_marked_run_whose_holder_is_gone_is_settled_as_cancelled"
PAUSE = "daemon/scheduling/plan.py"
OPERATION = "tests/daemon/operations/test_pause.py::{}[{{}}]"
RETRY = "tests/daemon/operations/test_retry.py::{}[{{}}{}]"
MANY = "tests/daemon/operations/test_many_runs.py::{}[{{}}]"

REPLACING = "tests/daemon/scheduling/test_replacing.py::{}[{{}}]"

CANCELS = (
    Mutant(
        "replacement-waits-for-nobody",
        "a run that replaces one at work may start at once",
        (Edit("daemon/store/statements/schedule.py", ", ~_ahead)", ")"),),
        on_each(REPLACING.format("test_a_run_at_work_is_marked_and_the_newer_one_starts_when_it_has_ended")),
    ),
    Mutant(
        "replacement-spares-what-waits",
        "a run that waits goes on waiting when a newer one replaces it",
        (
            Edit(
                "daemon/scheduling/plan_due.py",
                "        statements.run.end_marked(connection, waiting)\n",
                "        pass\n",
            ),
        ),
        on_each(REPLACING.format("test_runs_that_wait_end_at_once")),
    ),
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
        (Edit("daemon/store/statements/job_run.py", "        ~marked(),\n", ""),),
        on_each(MARKED.format("test_no_job_of_a_marked_run_starts", "")),
    ),
    Mutant(
        "hand-back-ignores-the-mark",
        "a marked run is put back to pending by its holder",
        (Edit("daemon/store/statements/claims.py", ".values(unless_marked(_end, _remark))", ".values(_end)"),),
        on_each(
            MARKED.format("test_a_marked_run_that_would_go_on_later_ends_as_cancelled_instead", "-hand back"),
        ),
    ),
    Mutant(
        "settlement-ignores-the-mark",
        "a marked run whose holder died is put back to pending",
        (
            Edit(
                STRANDED,
                "abandoned = update(run).where(_these(runs)).values(**unless_marked(values))",
                "abandoned = update(run).where(_these(runs)).values(**values)",
            ),
        ),
        on_each(MARKED.format(SETTLED, "-died")),
    ),
    Mutant(
        "settlement-of-the-living-ignores-the-mark",
        "a marked run whose holder lost the lease is put back to pending",
        (
            Edit(
                STRANDED,
                "stopped = update(run).where(_these(runs)).values(**unless_marked(values))",
                "stopped = update(run).where(_these(runs)).values(**values)",
            ),
        ),
        on_each(MARKED.format(SETTLED, "-lost its lease")),
    ),
)

PAUSES = (
    Mutant(
        "pause-before-it-began",
        "what was due before a pause and is planned in it does not run",
        (Edit(PAUSE, "        edges[:0] = [PlannedSpan(is_paused=False, end=pause.since), ", "        edges[:0] = ["),),
        on_either(
            "tests/daemon/scheduling/test_pause.py::"
            "test_what_was_due_before_a_pause_and_not_planned_yet_is_not_lost_as_paused"
        ),
    ),
    Mutant(
        "pause-without-end",
        "what is due after the end of a pause, and before that is planned, does not run",
        (Edit(PAUSE, "now if pause.until is None else pause.until - _TICK", "now"),),
        on_each(
            OPERATION.format("test_from_its_end_on_instants_run_again_although_nobody_resumed_it_and_nothing_was_up")
        ),
    ),
    Mutant(
        "resume-runs-what-was-paused",
        "what was due in a pause and is not planned yet runs once it is resumed",
        (
            Edit(
                "daemon/operations/selection.py",
                "    while due := [row for row in rows if row.next_due",
                "    while due := [row for row in () if row.next_due",
            ),
        ),
        on_each(OPERATION.format("test_resume_says_what_passed_and_none_of_it_runs_later")),
    ),
    Mutant(
        "paused-twice",
        "who pauses what is paused takes it over, and is told nothing of it",
        (
            Edit(
                "daemon/operations/pause.py",
                "    if not is_paused(row, now):\n",
                "    if row is not None:\n",
            ),
        ),
        on_each(OPERATION.format("test_two_who_pause_at_the_same_moment_are_both_told_and_it_is_done_once")),
    ),
    Mutant(
        "older-plans-past-a-pause",
        "an older replica beside records as paused what is due after the end of a pause",
        (
            Edit(
                "daemon/store/migrations/versions/0009_acts.py",
                "    _create_indexes(schema)\n    _refuse_to_plan_past_a_pause(schema)\n",
                "    _create_indexes(schema)\n",
            ),
        ),
        on_each(OPERATION.format("test_an_older_replica_may_not_plan_past_the_end_of_a_pause_and_nothing_is_lost")),
    ),
)

RETRIES = (
    Mutant(
        "retry-does-all-again",
        "a retry carries nothing over of what is done",
        (Edit("daemon/operations/retry.py", "first = len(jobs) if", "first = 0 if"),),
        on_each(
            RETRY.format("test_a_retry_is_a_run_of_its_own_that_resumes_at_the_first_job_that_is_not_done", "-failed")
        ),
    ),
    Mutant(
        "retry-as-another-occurrence",
        "a retry of a requested run has an idempotency key of its own",
        (
            Edit(
                "daemon/execution/claim.py",
                "        return row.scheduled_for if row.origin is None else row.origin\n",
                "        return row.scheduled_for if row.origin is None else row.id\n",
            ),
        ),
        on_each(RETRY.format("test_a_retry_of_a_retry_is_the_first_run_s_occurrence_also_when_that_is_gone", "")),
    ),
    Mutant(
        "retry-of-many-takes-what-was-retried",
        "of a run that was retried, both count as failed",
        (
            Edit(
                "daemon/store/statements/acting/retries.py",
                ", ~exists().where(_next.c.retry_of == run.c.id))",
                ")",
            ),
        ),
        on_each(MANY.format("test_all_that_failed_and_were_not_retried_are_tried_again_once")),
    ),
    Mutant(
        "cancel-of-many-frees-the-next",
        "of a queue that is cancelled in parts, the first goes first, and the next one starts",
        (
            Edit(
                "daemon/store/statements/run.py",
                "run.c.scheduled_for.desc(), run.c.id.desc()",
                "run.c.scheduled_for, run.c.id",
            ),
        ),
        on_each(MANY.format("test_of_a_queue_in_several_parts_nobody_goes_ahead_who_goes_too")),
    ),
)
