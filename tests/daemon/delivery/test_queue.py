"""What becomes of a message before it is sent, and after it could not be."""

import pytest

from daemon.delivery.queue import GIVEN_UP_AFTER, LONGEST_WAIT, MOST_OF_A_KIND, Taken, after_failure, before_sending
from daemon.store.statements.delivery import LatelySent

FAILED = Taken("ops", "run.failed", held=False, is_over=True)
TEN = {("ops", "run.failed"): LatelySent(MOST_OF_A_KIND, 20.0)}


@pytest.mark.parametrize(
    ("taken", "lately", "gone", "then"),
    [
        (FAILED, {}, False, "send"),
        (FAILED, {("ops", "run.failed"): LatelySent(MOST_OF_A_KIND - 1, 20.0)}, False, "send"),
        (FAILED, TEN, False, 40.0),
        (Taken("ops", "run.late", held=False, is_over=False), TEN, False, "send"),
        (Taken("others", "run.failed", held=False, is_over=True), TEN, False, "send"),
        (Taken("ops", "run.failed", held=True, is_over=True), TEN, False, "fold"),
        (Taken("ops", "run.failed", held=True, is_over=True), TEN, True, "gone"),
        (Taken("hc", "ping.fail", held=False, is_over=True), {("hc", "ping.fail"): LatelySent(99, 1.0)}, False, "send"),
        (Taken("hc", "ping.start", held=False, is_over=False), {}, False, "send"),
        (Taken("hc", "ping.start", held=False, is_over=True), {}, False, "dropped"),
    ],
    ids=["first", "tenth", "eleventh", "of another kind", "to another", "held", "gone", "ping", "start", "late start"],
)
def test_ten_of_a_kind_are_sent_in_a_minute_and_what_comes_beyond_is_folded(
    taken: Taken, lately: dict[tuple[str, str], LatelySent], gone: bool, then: object
) -> None:
    assert before_sending(taken, lately, gone) == then


def test_retries_come_later_and_later_up_to_an_hour_or_as_the_target_asks_and_end_after_three_days() -> None:
    waits = [after_failure("run.failed", attempts, 60.0, None) for attempts in range(1, 9)]
    assert waits == [5.0, 30.0, 120.0, 600.0, 1800.0, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    assert after_failure("run.failed", 1, 60.0, 300.0) == 300.0
    assert after_failure("run.failed", 1, 60.0, 1e9) == LONGEST_WAIT
    assert after_failure("run.failed", 99, GIVEN_UP_AFTER, None) == LONGEST_WAIT
    assert after_failure("run.failed", 99, GIVEN_UP_AFTER + 1, None) == "given up"
    assert after_failure("ping.start", 1, 0.0, None) == "given up"
