"""What becomes of a message before it is sent, and after it could not be."""

import pytest

from daemon.delivery.deliverer import GIVEN_UP_AFTER, LONGEST_WAIT, MOST_OF_A_KIND, after_failure, before_sending
from daemon.store.statements.delivery import LatelySent

TEN = LatelySent(MOST_OF_A_KIND, 20.0)


@pytest.mark.parametrize(
    ("kind", "lately", "given", "then"),
    [
        ("run.failed", None, {"is_over": True}, "send"),
        ("run.failed", LatelySent(MOST_OF_A_KIND - 1, 20.0), {"is_over": True}, "send"),
        ("run.failed", TEN, {"is_over": True}, 40.0),
        ("run.failed", TEN, {"is_over": True, "held": True}, "fold"),
        ("run.failed", TEN, {"is_over": True, "held": True, "gone": True}, "gone"),
        ("ping.fail", LatelySent(99, 1.0), {"is_over": True}, "send"),
        ("ping.start", None, {}, "send"),
        ("ping.start", None, {"is_over": True}, "dropped"),
    ],
    ids=["first", "tenth", "eleventh", "held", "gone", "ping", "start", "late start"],
)
def test_ten_of_a_kind_are_sent_in_a_minute_and_what_comes_beyond_is_folded(
    kind: str, lately: LatelySent | None, given: dict[str, bool], then: object
) -> None:
    assert before_sending(kind, lately, **{"held": False, "is_over": False, "gone": False, **given}) == then


def test_retries_come_later_and_later_up_to_an_hour_or_as_the_target_asks_and_end_after_three_days() -> None:
    waits = [after_failure("run.failed", attempts, 60.0, None) for attempts in range(1, 9)]
    assert waits == [5.0, 30.0, 120.0, 600.0, 1800.0, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    assert after_failure("run.failed", 1, 60.0, 300.0) == 300.0
    assert after_failure("run.failed", 1, 60.0, 1e9) == LONGEST_WAIT
    assert after_failure("run.failed", 99, GIVEN_UP_AFTER, None) == LONGEST_WAIT
    assert after_failure("run.failed", 99, GIVEN_UP_AFTER + 1, None) == "given up"
    assert after_failure("ping.start", 1, 0.0, None) == "given up"
