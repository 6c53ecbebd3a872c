"""What a job prints: split into lines, bounded, and kept."""

from collections.abc import Sequence

import pytest

from daemon.jobs.output import LONGEST_LINE, MOST_BYTES, Output, Transcript


def fed(*pieces: bytes) -> tuple[list[str], str]:
    lines: list[str] = []
    transcript = Transcript()
    output = Output(lines.extend, transcript=transcript)
    for piece in pieces:
        output.feed(piece)
    output.feed(b"", last=True)
    kept = transcript.close()
    return lines, "" if kept is None else kept.text


def test_lines_are_put_together_from_pieces() -> None:
    assert fed(b"on", b"e\ntw", b"o\r\n\nthree") == (["one", "two", "", "three"], "one\ntwo\n\nthree")


def test_a_character_may_come_in_two_pieces() -> None:
    assert fed("ä".encode()[:1], "ä".encode()[1:] + b"\n") == (["ä"], "ä\n")


@pytest.mark.parametrize("data", [b"\xff", b"\0", b"\xc3", b"\x07", b"\xc2\x85", b"\x1b"])
def test_what_is_no_text_is_replaced(data: bytes) -> None:
    """And NUL no database takes."""
    assert fed(b"a" + data + b"\n") == (["a\ufffd"], "a\ufffd\n")


@pytest.mark.parametrize(
    "data",
    [
        b"\x1b[1;31mred\x1b[0m\n",
        b"\x1b]0;a title\x07red\n",
        b"\x1b]8;;https://example.org\x1b\\red\x1b]8;;\x1b\\\n",
        b"\x1b(B\x1b[mred\x1b[K\n",
        b"\x1bP1$r0m\x1b\\\x1b7\x1b8red\n",
    ],
)
def test_escapes_of_a_terminal_are_left_out(data: bytes) -> None:
    assert fed(data) == (["red"], "red\n")


def test_a_tab_is_text() -> None:
    assert fed(b"a\tb\n") == (["a\tb"], "a\tb\n")


def test_of_a_line_that_is_written_over_its_last_state_is_kept() -> None:
    assert fed(b"\r10%", b"\r20%\r", b"30%", b"\r100%\r\n", b"done\n") == (["100%", "done"], "100%\ndone\n")


def test_a_bar_that_goes_on_for_hours_costs_nothing() -> None:
    lines, text = fed(*[b"\r%d of 50000" % n for n in range(50_000)])
    assert (lines, text) == (["49999 of 50000"], "49999 of 50000")


def test_a_line_without_end_comes_in_pieces_and_is_kept_whole() -> None:
    lines, text = fed(*[b"x" * 1000] * 100, b"\nnext\n")
    assert max(map(len, lines)) <= LONGEST_LINE
    assert "".join(lines) == "x" * 100_000 + "next"
    assert text == "x" * 100_000 + "\nnext\n"


def test_of_a_line_of_ten_megabytes_the_end_is_kept() -> None:
    _, text = fed(*[b"x" * 32_768] * 320, b"the end\n")
    assert text.endswith("xthe end\n")
    assert len(text) <= MOST_BYTES


def test_a_note_begins_a_line() -> None:
    lines: list[str] = []
    transcript = Transcript()
    output = Output(lines.extend, transcript=transcript)
    output.feed(b"half")
    output.note("done")
    output.feed(b"x" * (LONGEST_LINE + 1))
    output.note("again")
    output.note("and again")
    assert lines[:2] == ["half", "leased: done"]
    assert lines[-2:] == ["leased: again", "leased: and again"]
    kept = transcript.close()
    assert kept is not None
    assert kept.text == f"half\nleased: done\n{'x' * (LONGEST_LINE + 1)}\nleased: again\nleased: and again\n"


def test_what_was_read_at_once_is_passed_on_at_once() -> None:
    """Or a flood of short lines would cost more than reading it."""
    passed_on: list[Sequence[str]] = []
    output = Output(passed_on.append)
    output.feed(b"one\ntwo\nthr")
    output.feed(b"ee\n" + 2_000 * b"short\n")
    assert [len(lines) for lines in passed_on] == [2, 2_001]
