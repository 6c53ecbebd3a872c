import pytest

from daemon.jobs.output import LONGEST_LINE, TAIL_BYTES, Output


def fed(*pieces: bytes) -> tuple[list[str], str]:
    lines: list[str] = []
    output = Output(lines.append)
    for piece in pieces:
        output.feed(piece)
    output.feed(b"", last=True)
    return lines, output.tail


def test_lines_are_put_together_from_pieces() -> None:
    assert fed(b"on", b"e\ntw", b"o\r\n\nthree") == (["one", "two", "", "three"], "one\ntwo\r\n\nthree")


def test_a_character_may_come_in_two_pieces() -> None:
    assert fed("ä".encode()[:1], "ä".encode()[1:] + b"\n") == (["ä"], "ä\n")


@pytest.mark.parametrize("data", [b"\xff", b"\0", b"\xc3"])
def test_what_no_database_takes_as_text_is_replaced(data: bytes) -> None:
    assert fed(b"a" + data + b"\n") == (["a\ufffd"], "a\ufffd\n")


def test_the_tail_is_the_last_8_kib_and_cuts_no_character() -> None:
    tail = fed(("ä" * TAIL_BYTES).encode() + b"x")[1]
    assert tail == "ä" * (TAIL_BYTES // 2 - 1) + "x"


def test_a_line_without_end_comes_in_pieces() -> None:
    lines, _ = fed(*[b"x" * 1000] * 100)
    assert max(map(len, lines)) <= LONGEST_LINE
    assert "".join(lines) == "x" * 100_000


def test_a_note_begins_a_line() -> None:
    lines: list[str] = []
    output = Output(lines.append)
    output.feed(b"half")
    output.note("done")
    assert lines == ["half", "leased: done"]
    assert output.tail == "half\nleased: done\n"
