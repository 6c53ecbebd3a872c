"""A source text, and where its syntax tree's nodes are in it."""

import ast
import re

from tests.mutants.random.mutation import Span


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
