"""The choice of tests for a mutant, from what each test was seen to run."""

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_SECONDS = 120.0
"""Seconds that the tests of one mutant take together, when they find nothing."""
SLOW = 3.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A test that passes, how long it takes, and which lines of which files it runs."""

    node: str
    seconds: float
    quick: bool
    """It starts no process, and needs no server."""
    lines: dict[str, frozenset[int]]

    def runs(self, file: str, lines: Iterable[int]) -> bool:
        return not self.lines.get(file, frozenset()).isdisjoint(lines)

    def mirrors(self, file: str) -> bool:
        """Return whether the test is in the room of the tests that belongs to the file's."""
        room = "/".join(file.split("/")[:2]) if file.count("/") > 1 else file.partition("/")[0]
        return self.node.startswith(f"tests/{room}/")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tests to run for a mutant, one session after the other."""

    sessions: Sequence[Sequence[Measured]]
    left_out: int = 0
    """How many more run its lines, or its file if those were imported only, for which there is no time."""

    @property
    def nodes(self) -> list[str]:
        return [test.node for session in self.sessions for test in session]


def read_measured(*files: Path) -> list[Measured]:
    """Return what `tests.mutants.random.measuring` has written."""
    return [
        Measured(node, one["seconds"], one["quick"], {file: frozenset(lines) for file, lines in one["lines"].items()})
        for file in files
        for node, one in json.loads(file.read_text(encoding="utf-8")).items()
    ]


def write_measured(file: Path, tests: Iterable[Measured]) -> None:
    """Write the same, to be read once more."""
    written = {
        one.node: {
            "seconds": one.seconds,
            "quick": one.quick,
            "lines": {name: sorted(lines) for name, lines in one.lines.items()},
        }
        for one in tests
    }
    file.write_text(json.dumps(written), encoding="utf-8")


def choose(
    tests: Sequence[Measured],
    file: str,
    lines: tuple[int, int],
    *,
    first: str | None = None,
    most: float = MOST_SECONDS,
) -> Chosen:
    """Return the tests to run for a mutant of these lines, those first that will find it soonest.

    They are those that run the lines, and then those that run the file at all: what is imported, or
    kept from an earlier test, is used by others than those that ran it. Where no test runs the
    lines, they were run as they were imported, and any that is quick may read what came of that.
    The test ``first``, which caught it before, is a session of its own before all others.
    """
    order = functools.partial(_order, file=file)
    of_file = sorted((test for test in tests if file in test.lines), key=order)
    of_lines = [test for test in of_file if test.runs(file, range(lines[0], lines[1] + 1))]
    of_any = [] if of_lines else sorted((test for test in tests if test.quick), key=order)
    soon = [test for test in of_file if test.seconds <= SLOW]
    chosen: dict[str, Measured] = {}
    left = most
    for test in (*of_lines, *soon, *of_any, *of_file):
        if test.node not in chosen and test.node != first and test.seconds <= left:
            chosen[test.node] = test
            left -= test.seconds
    before = [test for test in tests if test.node == first]
    left_out = sum(1 for test in of_lines or of_file if test.node not in chosen and test.node != first)
    return Chosen([session for session in (before, list(chosen.values())) if session], left_out)


def _order(test: Measured, file: str) -> tuple[bool, bool, bool, str, float]:
    """Quick ones first; of those with a server a module's together, since they share a database."""
    module = "" if test.quick else test.node.partition("::")[0]
    return test.seconds > SLOW, not test.quick, not test.mirrors(file), module, test.seconds
