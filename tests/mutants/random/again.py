"""The mutants of an earlier campaign, found again in a product whose lines may have moved."""

import ast
import functools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.random.drawing import Drawn, every_mutant

Block = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Name:
    """What a mutant changes, and in which function or class: it stays the same where lines move."""

    file: str
    scope: str
    what: str
    was: str
    now: str

    @classmethod
    def of(cls, drawn: Drawn) -> "Name":
        return cls(drawn.file, _scope(drawn), drawn.mutation.what, drawn.was, drawn.now)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A mutant of an earlier campaign, and the test that caught it then."""

    name: Name
    nth: int
    """It was this one of those with its name, counted from 0."""
    caught_by: str | None


class Named:
    """All mutants of a product by their names."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._by_name: defaultdict[Name, list[Drawn]] = defaultdict(list)
        for one in every_mutant(texts):
            self._by_name[Name.of(one)].append(one)

    def nth(self, drawn: Drawn) -> int:
        return self._by_name[Name.of(drawn)].index(drawn)

    def find(self, earlier: Earlier) -> Drawn | None:
        """Return the same mutant; None if what it changed is gone.

        Its function may have another name now, if no other change in the file looks the same.
        """
        same = self._by_name.get(earlier.name, [])
        if earlier.nth < len(same):
            return same[earlier.nth]
        wanted = _without_scope(earlier.name)
        alike = [one for name, found in self._by_name.items() if _without_scope(name) == wanted for one in found]
        return alike[0] if len(alike) == 1 else None


def read_earlier(file: Path) -> list[Earlier]:
    """Return the mutants of the results that a campaign wrote for programs."""
    return [
        Earlier(
            Name(one["file"], one["scope"], one["what"], one["was"], one["now"]),
            one["nth"],
            one["caught_by"],
        )
        for one in json.loads(file.read_text(encoding="utf-8"))
    ]


def _without_scope(name: Name) -> tuple[str, ...]:
    return name.file, name.what, name.was, name.now


def _scope(drawn: Drawn) -> str:
    line = drawn.line
    inside = [name for first, last, name in _scopes(drawn.text) if first <= line <= last]
    return inside[-1] if inside else ""


@functools.cache
def _scopes(text: str) -> list[tuple[int, int, str]]:
    """Return the lines of each function and class, outer ones before those in them."""
    return list(_blocks(ast.parse(text), ""))


def _blocks(node: ast.AST, prefix: str) -> Iterator[tuple[int, int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Block):
            yield child.lineno, child.end_lineno or child.lineno, f"{prefix}{child.name}"
            yield from _blocks(child, f"{prefix}{child.name}.")
        else:
            yield from _blocks(child, prefix)
