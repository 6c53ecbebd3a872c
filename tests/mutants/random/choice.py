"""The choice of tests for a mutant, from what each test was seen to run."""

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


def choose(tests: Sequence[Measured], file: str, lines: tuple[int, int]) -> list[str]:
    """Return the tests to run for a mutant of these lines, those first that will find it soonest.

    They are those that run the lines, and then those that run the file at all: what is imported, or
    kept from an earlier test, is used by others than those that ran it. Where no test runs the
    lines, they were run as they were imported, and any that is quick may read what came of that.
    """
    of_file = sorted((test for test in tests if file in test.lines), key=_order)
    of_lines = [test for test in of_file if test.runs(file, range(lines[0], lines[1] + 1))]
    of_any = [] if of_lines else sorted((test for test in tests if test.quick), key=_order)
    chosen: dict[str, float] = {}
    for test in (*of_lines, *of_any, *of_file):
        if test.node not in chosen and sum(chosen.values()) + test.seconds <= MOST_SECONDS:
            chosen[test.node] = test.seconds
    return list(chosen)


def _order(test: Measured) -> tuple[bool, bool, str, float]:
    """Quick ones first; of those with a server a module's together, since they share a database."""
    module = "" if test.quick else test.node.partition("::")[0]
    return test.seconds > SLOW, not test.quick, module, test.seconds
