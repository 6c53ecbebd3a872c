"""What becomes of what a job prints for a terminal. Pure."""

import pytest

from daemon.web.pages.ansi import LONGEST, stretches


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", [("plain", "")]),
        ("\x1b[31mred\x1b[0m \x1b[1;92mgreen", [("red", "t-fail"), (" ", ""), ("green", "t-ok strong")]),
        ("\x1b[38;5;196ma\x1b[38;2;1;2;3mb\x1b[mc", [("a", ""), ("b", ""), ("c", "")]),
        ("\x1b[4mu\x1b[22;39;49mx", [("u", ""), ("x", "")]),
        ("\x1b]0;title\x07a\x1b[2Jb\x1b[?25hc\x9b1md\x1b(Be", [("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", "")]),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", [("link", "")]),
        ("\x1b]never ended <script>", []),
        ("10 %\r50 %\r100 %\r", [("100 %", "")]),
        ("a\u202eb\x07c\td", [("a b c\td", "")]),
        ("\x1b", []),
        ("\x1b[", []),
        ("\x1b[99999999999999999999mx", [("x", "")]),
    ],
)
def test_colours_become_classes_and_the_rest_is_gone(line: str, shown: list[tuple[str, str]]) -> None:
    found, cut = stretches(line)
    assert [(one.text, one.looks) for one in found] == shown
    assert cut == 0


def test_a_line_of_a_megabyte_is_cut_with_its_size() -> None:
    found, cut = stretches("x" * 1_000_000)
    assert [len(one.text) for one in found] == [LONGEST]
    assert cut == 1_000_000 - LONGEST
