"""Mutants of the outbox: messages that are lost, come twice at once, out of order, unsigned, or not at all."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

STATEMENTS = "daemon/store/statements/delivery.py"
DELIVERER = "daemon/delivery/deliverer.py"
SENDING = "daemon/delivery/sending.py"
RUN_ENDS = "daemon/execution/writes/transactions.py"
STORED = "tests/daemon/store/test_delivery.py::{}[{{}}]"
TOLD = "tests/daemon/delivery/test_telling.py::{}"
SENT = "tests/daemon/delivery/test_sending.py::{}"
ONE_AT_A_TIME = STORED.format("test_only_the_first_of_each_target_is_lent_and_the_next_when_it_is_done_with")
AFTER_A_KILL = STORED.format(
    "test_what_a_killed_replica_had_is_sent_again_by_another_and_its_late_answer_changes_nothing"
)
DECIDED = "tests/daemon/delivery/test_queue.py::test_ten_of_a_kind_are_sent_in_a_minute_and_what_comes_beyond_is_folded"

DELIVERY = (
    Mutant(
        "end-of-a-run-tells-nobody",
        "a run ends, and no message is written with it",
        (Edit(RUN_ENDS, "    if asked := [end for end in proven if end.targets]:\n", "    if asked := []:\n"),),
        on_either(TOLD.format("test_a_failure_and_the_first_success_after_it_are_told_and_no_other_success")),
    ),
    Mutant(
        "cancelled-run-alarms",
        "a run that a person cancelled is told as one that failed",
        (Edit(RUN_ENDS, '            case "failed":\n', '            case "failed" | "cancelled":\n'),),
        on_either(TOLD.format("test_a_run_that_a_person_cancels_tells_nothing_also_if_its_job_fails_then")),
    ),
    Mutant(
        "message-apart-from-its-change",
        "what was not committed is told all the same",
        (
            Edit(
                STATEMENTS,
                "        connection.execute(made, rows)\n",
                "        connection.execute(made, rows)\n        connection.exec_driver_sql('COMMIT')\n        connection.exec_driver_sql('BEGIN')\n",
            ),
        ),
        on_each(f"{TOLD.format('test_a_message_is_undone_with_the_change_that_it_tells')}[{{}}]"),
    ),
    Mutant(
        "message-overtakes",
        "a message is sent while one before it waits to be tried again",
        (
            Edit(
                STATEMENTS,
                ".where(_is_first(application), delivery.c.done_at",
                ".where(delivery.c.done_at",
            ),
        ),
        on_each(ONE_AT_A_TIME),
    ),
    Mutant(
        "message-lent-twice",
        "a second replica takes what the first one is sending",
        (Edit(STATEMENTS, ", delivery.c.available_at <= now())\n        .order_by", ")\n        .order_by"),),
        on_each(ONE_AT_A_TIME),
    ),
    Mutant(
        "message-dies-with-its-sender",
        "a message that a killed replica had taken is never sent again",
        (Edit(STATEMENTS, "available_at=later(now(), LENT)", "available_at=later(now(), 1e9)"),),
        on_each(AFTER_A_KILL),
    ),
    Mutant(
        "late-answer-frees-a-message",
        "a replica that took too long puts back what another one is sending",
        (Edit(STATEMENTS, " delivery.c.attempts == message.attempts,", ""),),
        on_each(AFTER_A_KILL),
    ),
    Mutant(
        "redirect-counts",
        "an answer that only points elsewhere counts as delivered",
        (Edit(SENDING, "200 <= status < 300", "200 <= status < 400"),),
        on_either(SENT.format("test_only_2xx_counts_and_no_redirect_is_followed[302]")),
    ),
    Mutant(
        "signature-without-the-id",
        "the signature of a webhook does not cover its id",
        (Edit(SENDING, "signs.sign(message.id, at, body)", 'signs.sign("", at, body)'),),
        on_either(
            SENT.format("test_a_webhook_is_signed_as_the_reference_library_verifies_and_has_the_same_id_each_time")
        ),
    ),
    Mutant(
        "secret-in-an-error",
        "a secret that cannot be used is shown in the error",
        (Edit(SENDING, 'f"the secret in {name} is', 'f"the secret {secret} in {name} is'),),
        on_either(SENT.format("test_what_is_wrong_with_a_target_is_said_without_its_secret[no base64]")),
    ),
    Mutant(
        "gone-target-is-asked",
        "a target that answered 410 is asked again with each message",
        (Edit(DELIVERER, "    if gone:\n", "    if False:\n"),),
        on_either(f"{DECIDED}[gone]"),
    ),
    Mutant(
        "storm-is-a-storm",
        "a thousand failures are a thousand messages",
        (Edit(DELIVERER, " or lately.count < MOST_OF_A_KIND:", " or lately.count:"),),
        on_either(f"{DECIDED}[eleventh]"),
    ),
    Mutant(
        "start-is-pinged-after-the-end",
        "the ping of a start is sent although the run is over, and a monitor waits for an end",
        (Edit(DELIVERER, 'kind == "ping.start" and is_over', "False"),),
        on_either(f"{DECIDED}[late start]"),
    ),
)
