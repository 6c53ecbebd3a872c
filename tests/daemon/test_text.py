"""The remedy for a name that is not there: the nearest of those that are, otherwise which there are."""

import pytest

from daemon.text import MOST_NAMES, nearest, suggestion


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("retrys", ["retries", "timeout"], 'did you mean "retries"?'),
        ("TIMEOUT", ["retries", "timeout"], 'did you mean "timeout"?'),
        ("nightly", ["Nightly Sync"], 'did you mean "Nightly Sync"?'),
        ("colour", ["timeout", "retries"], "there are retries, timeout"),
        ("colour", ["timeout"], 'there is only "timeout"'),
        ("colour", [], "there are none"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_with_what_there_is(
    name: str, known: list[str], sentence: str
) -> None:
    assert suggestion(name, known) == sentence


def test_a_long_list_is_cut_off() -> None:
    said = suggestion("colour", [f"schedule-{number:02}" for number in range(50)])
    assert said.startswith("there are schedule-00, schedule-01, ")
    assert said.endswith(f"schedule-{MOST_NAMES - 1:02}, …")


def test_a_name_may_have_to_be_more_alike() -> None:
    assert nearest("Berln", ["Berlin"], 0.75) == "Berlin"
    assert nearest("Bern", ["Lima"], 0.75) is None
