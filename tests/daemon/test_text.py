"""The remedy for a name that is not there: the nearest of those that are, otherwise which there are."""

import pytest

from daemon.text import MOST_NAMES, cut_here, last_line, nearest, signal_name, size, suggestion, wrapped


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


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, []),
        ("one two three", 7, ["one two", "three"]),
        ("since 2026-07-01 02:00:00Z", 22, ["since", "2026-07-01 02:00:00Z"]),
        ("until (2026-07-01 02:00:00Z), and on", 24, ["until", "(2026-07-01 02:00:00Z),", "and on"]),
        ("use `leased run FILE`", 18, ["use", "`leased run FILE`"]),
        ("a ` alone", 3, ["a `", "alone"]),
        ("a name-that-is-longer b", 10, ["a", "name-that-is-longer", "b"]),
    ],
)
def test_no_line_ends_within_a_name_an_instant_or_what_is_to_be_typed(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width) == lines


def test_lines_after_the_first_can_leave_room_for_an_indent() -> None:
    assert wrapped("one two three four", 7, hang=2) == ["one two", "three", "four"]
    assert wrapped("one two six", 7, hang=2) == ["one two", "six"]
    assert wrapped("seven one two", 7, hang=1) == ["seven", "one", "two"]


def test_a_long_list_is_cut_off() -> None:
    said = suggestion("colour", [f"schedule-{number:02}" for number in range(50)])
    assert said.startswith("there are schedule-00, schedule-01, ")
    assert said.endswith(f"schedule-{MOST_NAMES - 1:02}, …")


def test_a_name_may_have_to_be_more_alike() -> None:
    assert nearest("Berln", ["Berlin"], 0.75) == "Berlin"
    assert nearest("Bern", ["Lima"], 0.75) is None


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (57_344, "56 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (1_500_000_000, "1.4 GiB"),
        (2**50, "1,024 TiB"),
    ],
)
def test_a_number_of_bytes_is_rounded(count: int, shown: str) -> None:
    assert size(count) == shown


def test_the_mark_of_a_cut_counts_lines_and_bytes() -> None:
    assert cut_here(1_234, 57_344) == "… 1,234 lines, 56 KiB cut here"
    assert cut_here(1, 80) == "… 1 line, 80 bytes cut here"
    assert cut_here(0, 10_000_000) == "… 9.5 MiB cut here"


def test_a_signal_is_named() -> None:
    assert (signal_name(9), signal_name(40)) == ("SIGKILL", "signal 40")


UNIQUE = "sqlalchemy.exc.IntegrityError: (psycopg.errors.UniqueViolation) duplicate key"
STATEMENT = "[SQL: insert into t\n values (%(a)s)]\n[parameters: {'a': 'x\ny'}]"
ADDRESS = "(Background on this error at: https://sqlalche.me/e/20/gkpj)"
BEFORE = 'Traceback (most recent call last):\n  File "shop.py", line 3\n'


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (None, ""),
        ("\n", ""),
        (f"{BEFORE}ValueError: oh\n", "ValueError: oh"),
        (f"{BEFORE}{UNIQUE}\n{STATEMENT}\n{ADDRESS}\n", UNIQUE),
        (f"{BEFORE}{UNIQUE}\nDETAIL:  Key (a)=(1) already exists.\n{STATEMENT}\n{ADDRESS}\n", UNIQUE),
        (f"{BEFORE}{UNIQUE}\n{STATEMENT}", UNIQUE),
        (f"{BEFORE}{UNIQUE}\n{ADDRESS}", UNIQUE),
        (f"oh\n{STATEMENT}", "oh"),
        (f"{BEFORE}{UNIQUE}\n{STATEMENT}\n{ADDRESS}\n\nDuring this\n\n{BEFORE}KeyError: [1]", "KeyError: [1]"),
    ],
)
def test_the_reason_of_an_error_is_its_last_line_above_the_statement_that_sqlalchemy_adds(
    error: str | None, shown: str
) -> None:
    assert last_line(error) == shown
