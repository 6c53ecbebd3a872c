"""Mutants of who is answered over HTTP, and of what a night's report and `leased why` answer."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

DOOR = "daemon/web/door.py"
AT_WORK = "daemon/operations/why.py"
KILLED = "tests/daemon/operations/test_why.py::test_a_running_run_says_what_its_job_does_and_what_a_kill_costs[{}]"
TO_ALL = "tests/daemon/web/test_door.py::test_what_may_not_pass_gets_a_sentence_from_every_route"

ANSWERS = (
    Mutant(
        "read-token-acts",
        "the token that may only read may act",
        (Edit(DOOR, '        if not known.may_act and kind != "open":\n', "        if False:\n"),),
        on_either("tests/daemon/web/test_door.py::test_the_token_that_reads_gets_and_does_nothing_else"),
    ),
    Mutant(
        "any-host-may-read",
        "only an act asks for which host it came: a page whose name was pointed here reads all",
        (
            Edit(
                DOOR,
                'if not self._is_ours(_only(headers, "host")):',
                'if method not in _READS and not self._is_ours(_only(headers, "host")):',
            ),
        ),
        on_either(TO_ALL),
    ),
    Mutant(
        "forwarded-to-an-open-door",
        "without a token, what a proxy forwards from anywhere is answered as what comes from this machine",
        (Edit(DOOR, "            if forwarded is None:\n", "            if True:\n"),),
        on_either(TO_ALL),
    ),
    Mutant(
        "token-by-its-beginning",
        "whatever the token begins with is taken for it",
        (
            Edit(
                "daemon/web/sessions.py",
                'hmac.compare_digest(given.encode(errors="replace"), expected.encode())',
                "expected.startswith(given)",
            ),
        ),
        on_either(TO_ALL),
    ),
    Mutant(
        "foreign-page-acts",
        "a page of another site may act in the name of whoever looks at it",
        (Edit(DOOR, 'if site not in {"", "same-origin", "none"} or (', "if False and ("),),
        on_either(
            "tests/daemon/web/test_door.py::test_an_act_that_a_foreign_page_or_a_form_may_have_sent_is_refused_to_all"
        ),
    ),
    Mutant(
        "due-without-an-outcome",
        "a report counts a run that waits among what was due, and among no outcome",
        (
            Edit(
                "daemon/store/views/report/read.py",
                'active=of.states["pending"] + of.states["running"],',
                'active=of.states["running"],',
            ),
        ),
        on_each(
            "tests/daemon/store/test_report.py"
            "::test_each_scheduled_time_has_one_outcome_and_their_sum_is_what_was_due[{}]"
        ),
    ),
    Mutant(
        "one-row-is-one-scheduled-time",
        "a report counts a row that stands for many skipped times as one",
        (
            Edit(
                "daemon/store/views/report/read.py",
                'func.sum(run.c.count).label("due"),',
                'func.count().label("due"),',
            ),
        ),
        on_each(
            "tests/daemon/store/test_report.py"
            "::test_each_scheduled_time_has_one_outcome_and_their_sum_is_what_was_due[{}]"
        ),
    ),
    Mutant(
        "retried-and-still-lost",
        "a report counts a failed run as lost although its retry succeeded",
        (Edit("daemon/store/views/report/read.py", "max(0, failed - retried_well - ", "max(0, failed - "),),
        on_each(
            "tests/daemon/store/test_report.py"
            "::test_a_failed_run_is_not_lost_if_its_last_retry_succeeded_or_is_active[{}]"
        ),
    ),
    Mutant(
        "paused-and-said-to-be-due",
        "why tells of a paused schedule when it is due next",
        (Edit("daemon/operations/why_schedule.py", "    if line.paused_at is not None:\n", "    if False:\n"),),
        on_each("tests/daemon/operations/test_why.py::test_each_state_has_its_sentence_and_what_to_do[{}]"),
    ),
    Mutant(
        "kill-that-costs-one-run",
        "why tells of a kill that it ends the run it was asked about, and not the others of that replica",
        (
            Edit(
                AT_WORK,
                "runs = [str(one.run_id) for one in running if one.holder == at_work.holder]",
                "runs = [str(one.run_id) for one in running if one.run_id == at_work.run_id]",
            ),
        ),
        on_each(KILLED),
    ),
    Mutant(
        "resumed-by-who-drains",
        "why says that a replica which drains can resume what a kill ends",
        (Edit(AT_WORK, ' and one.is_seen and one.state == "running"]', " and one.is_seen]"),),
        on_each(KILLED),
    ),
)
