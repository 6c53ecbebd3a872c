"""The trial of a mutant: its tests in a copy of the product, until one fails."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.copies import copy_mutated
from tests.mutants.random.drawing import Drawn
from tests.mutants.running import Outcome, run_tests

LIMIT = 15.0
"""Seconds that a test waits for what may not happen any more."""
HANG = 60
"""Seconds after which a test hangs."""
SECONDS = 600.0
OPTIONS = ("-x", "-o", f"timeout={HANG}", "-o", "tmp_path_retention_policy=none")
FEWER = {"LEASED_MODEL_SEEDS": "12", "LEASED_MODEL_EXAMPLES": "15", "LEASED_MODEL_SHRINK": "0"}
TURNS = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a mutant."""

    drawn: Drawn
    by: str | None
    """The test that failed, or how else it was noticed; None: it survived."""
    tests: int
    """How many tests there were for it."""
    seconds: float


def try_out(drawn: Drawn, product: Path, target: Path, nodes: Sequence[str], server: str | None) -> Trial:
    """Run ``nodes`` against the mutant; a test that fails counts if it fails once more, alone."""
    began = time.monotonic()
    mutated = copy_mutated(product, target, [drawn.edit])
    try:
        by = _caught_by(mutated, list(nodes), server) if nodes else None
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return Trial(drawn, by, len(nodes), time.monotonic() - began)


def _caught_by(mutated: Path, nodes: list[str], server: str | None) -> str | None:
    for _ in range(TURNS):
        try:
            outcome = _run(mutated, nodes, server)
            if outcome.status == 0:
                return None
            test = _first_failed(outcome)
            if test is None or "from pytest-timeout" in outcome.output:
                return test or "the session itself"
            if _run(mutated, [test], server).status != 0:
                return test
        except subprocess.TimeoutExpired:
            return "no end"
        nodes.remove(test)
    return None


def _run(mutated: Path, nodes: Sequence[str], server: str | None) -> Outcome:
    listed = mutated / "nodes.txt"
    listed.write_text("\n".join(nodes), encoding="utf-8")
    return run_tests(mutated, [f"@{listed}"], server, limit=LIMIT, seconds=SECONDS, options=OPTIONS, variables=FEWER)


def _first_failed(outcome: Outcome) -> str | None:
    for line in outcome.output.splitlines():
        word, _, rest = line.partition(" ")
        if word in {"FAILED", "ERROR"} and "::" in rest:
            return rest.partition(" - ")[0]
    return None
