"""A small mutation of a piece of source text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a text, from one character up to another."""

    start: int
    end: int


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
