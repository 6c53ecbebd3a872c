"""Mutants of who is answered over HTTP, and of what a night's report and `leased why` answer."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

DOOR = "daemon/web/door.py"
TO_ALL = "tests/daemon/web/test_door.py::test_what_may_not_pass_gets_a_sentence_from_every_route"

ANSWERS = (
    Mutant(
        "read-token-acts",
        "the token that may only read may act",
        (Edit(DOOR, "        if not acts and method not in _READS:\n", "        if False:\n"),),
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
        "paused-and-said-to-be-due",
        "why tells of a paused schedule when it is due next",
        (Edit("daemon/operations/why/of_schedule.py", "    if line.paused_at is not None:\n", "    if False:\n"),),
        on_each("tests/daemon/operations/test_why.py::test_each_state_has_its_sentence_and_what_to_do[{}]"),
    ),
)
