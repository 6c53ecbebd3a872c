"""The trial of a mutant: its tests in a copy of the product, until one fails."""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.copies import copy_mutated
from tests.mutants.random.choice import Chosen, Measured
from tests.mutants.random.drawing import Drawn
from tests.mutants.running import Outcome, run_tests

LIMIT = 15.0
"""Seconds that a test waits for what may not happen any more."""
HANG = 60
"""Seconds after which a test hangs."""
SECONDS = 120.0
"""Seconds in which a session ends whose tests take no time; for the others each second of theirs counts fourfold."""
OPTIONS = (
    "-x",
    *("-o", f"timeout={HANG}"),
    *("-o", f"faulthandler_timeout={2 * HANG}"),  # ends a session whose threads go on after that
    *("-o", "tmp_path_retention_policy=none"),
)
FEWER = {"LEASED_MODEL_SEEDS": "12", "LEASED_MODEL_EXAMPLES": "15", "LEASED_MODEL_SHRINK": "0"}
TURNS = 10
"""How many tests may fail without counting, before the others are left out."""
NO_END = "no end"
NO_TEST = "the session itself"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the tests of a mutant said."""

    by: str | None
    """The test that failed, or how else it was noticed; None: it survived."""
    tests: int
    """How many tests there were for it."""
    seconds: float
    left_out: int = 0
    """How many more tests run its lines, for which there was no time."""
    uncertain: tuple[str, ...] = ()
    """The tests that failed, and did not count."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What mutants are tried on: a copy of the product, and how its tests are run."""

    product: Path
    server: str | None = None
    options: Sequence[str] = ()

    def run(self, copy: Path, nodes: Sequence[str], seconds: float) -> Outcome:
        listed = copy / "nodes.txt"
        listed.write_text("\n".join(nodes), encoding="utf-8")
        return run_tests(
            copy,
            [f"@{listed}"],
            self.server,
            limit=LIMIT,
            seconds=seconds,
            options=(*OPTIONS, *self.options),
            variables=FEWER,
        )


def try_out(
    drawn: Drawn, bench: Bench, target: Path, chosen: Chosen, passes: Callable[[str], bool] = lambda _: True
) -> Trial:
    """Run the chosen tests against the mutant in a copy at ``target``.

    A test that fails counts if it fails once more, alone, so that a busy machine catches nothing, and if the product
    itself ``passes`` it alone.
    """
    began = time.monotonic()
    mutated = copy_mutated(bench.product, target, [drawn.edit])
    uncertain: list[str] = []
    caught = (_caught_by(mutated, bench, session, passes, uncertain) for session in chosen.sessions)
    try:
        by = next(filter(None, caught), None)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return Trial(by, len(chosen.nodes), time.monotonic() - began, chosen.left_out, tuple(uncertain))


def passes_alone(node: str, bench: Bench, target: Path) -> bool:
    """Return whether the product itself passes this test, in a copy at ``target`` where nothing is changed."""
    unchanged = copy_mutated(bench.product, target, [])
    try:
        return bench.run(unchanged, [node], SECONDS + HANG).status == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _caught_by(
    mutated: Path, bench: Bench, tests: Sequence[Measured], passes: Callable[[str], bool], uncertain: list[str]
) -> str | None:
    left = list(tests)
    for _ in range(TURNS):
        failed = _first_failed(mutated, bench, left)
        if failed in {NO_END, NO_TEST}:  # it may have been the machine: once more, all of them
            failed = _first_failed(mutated, bench, left)
            if failed in {NO_END, NO_TEST}:
                return failed
        if failed is None:
            return None
        alone = [test for test in left if test.node == failed]
        if _first_failed(mutated, bench, alone) is not None and passes(failed):
            return failed
        uncertain.append(failed)
        left = [test for test in left if test.node != failed]
    return None


def _first_failed(mutated: Path, bench: Bench, tests: Sequence[Measured]) -> str | None:
    """Return the node of the first test that fails, or how else the session does; None: all pass."""
    if not tests:
        return None
    try:
        outcome = bench.run(mutated, [test.node for test in tests], SECONDS + 4 * sum(test.seconds for test in tests))
    except subprocess.TimeoutExpired:
        return NO_END
    return None if outcome.status == 0 else _named_first(outcome) or NO_TEST


def _named_first(outcome: Outcome) -> str | None:
    for line in outcome.output.splitlines():
        word, _, rest = line.partition(" ")
        node = rest.partition(" - ")[0]
        if word in {"FAILED", "ERROR"} and "::" in node and not node.startswith(" "):  # that is a line of a log
            return node
    return None
