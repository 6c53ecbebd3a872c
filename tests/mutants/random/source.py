"""A source text: where its syntax tree's nodes are in it, and a small mutation of a piece of it."""

import ast
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a text, from one character up to another."""

    start: int
    end: int


class Source:
    """Positions of a tree are in bytes of lines; a span is in characters of the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.AST) -> Span:
        """Return where this is (anything that has a position)."""
        at = vars(node)
        return Span(
            self._position(at["lineno"], at["col_offset"]), self._position(at["end_lineno"], at["end_col_offset"])
        )

    def of(self, node: ast.AST) -> str:
        """Return the text of a node."""
        span = self.span(node)
        return self.text[span.start : span.end]

    def operator(self, left: ast.AST, right: ast.AST, sign: str) -> Span:
        """Return where the operator ``sign`` is between two operands, which may be in parentheses."""
        start, end = self.span(left).end, self.span(right).start
        words = re.escape(sign).replace(r"\ ", r"\s+")
        bounds = (r"\b", r"\b") if sign[0].isalpha() else ("", "")
        found = re.search(bounds[0] + words + bounds[1], self.text[start:end])
        if found is None:
            raise ValueError(f"no {sign!r} in {self.text[start:end]!r}")
        return Span(start + found.start(), start + found.end())

    def _position(self, line: int, column: int) -> int:
        begun = self._lines[line - 1].encode()[:column].decode() if line <= len(self._lines) else ""
        return self._starts[line - 1] + len(begun)


@dataclass(frozen=True, slots=True, order=True)
class Mutation:
    """What is replaced by what, and the lines of the statement that it is in."""

    span: Span
    new: str
    what: str
    lines: tuple[int, int]

    def apply(self, text: str) -> str:
        return text[: self.span.start] + self.new + text[self.span.end :]

    def was(self, text: str) -> str:
        """Return the lines that it changes, as they are, without what surrounds them."""
        return _tidy(text[_begin(text, self.span.start) : _end(text, self.span.end)])

    def now(self, text: str) -> str:
        """Return the same lines as the mutation has them."""
        before, after = _begin(text, self.span.start), _end(text, self.span.end)
        return _tidy(text[before : self.span.start] + self.new + text[self.span.end : after])


def _begin(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _tidy(lines: str) -> str:
    return " ".join(lines.split())
