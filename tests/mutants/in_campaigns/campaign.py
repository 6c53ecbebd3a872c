"""A campaign over a mutant: does it find a promise broken?

It finds what its faults bring about in its time, so that one which finds nothing proves nothing.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.copies import copy_mutated
from tests.mutants.mutant import Kind, Mutant

SETTLING = 600.0
"""Seconds for all that a campaign does but its faults."""
CAUGHT = 1
"""The status of a campaign that found a promise broken."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a campaign made of a mutant."""

    seed: int
    status: int | None
    """The campaign's own; None if it did not end."""
    broken: tuple[str, ...]
    """What it found broken, or else its last words."""

    @property
    def caught(self) -> bool:
        return self.status == CAUGHT


def put_through(mutant: Mutant, kind: Kind, minutes: float, seed: int, product: Path) -> Verdict:
    """Run one campaign over a mutated copy of the copy ``product``."""
    with tempfile.TemporaryDirectory(prefix="leased-mutant-", dir=product.parent) as folder:
        mutated = copy_mutated(product, Path(folder) / "mutant", mutant.edits)
        numbers = Path(folder) / "numbers.json"
        options = [f"--database={kind}", f"--minutes={minutes}", f"--seed={seed}", f"--json={numbers}"]
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "tests.chaos", *options],
                cwd=mutated, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(mutated), "TMPDIR": folder},
                capture_output=True, text=True, check=False, timeout=minutes * 60 + SETTLING,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Verdict(seed, None, ("the campaign did not end",))
        if numbers.exists():
            told = json.loads(numbers.read_text())
            return Verdict(seed, done.returncode, tuple(told["violations"]) or tuple(told["problems"]))
        return Verdict(seed, done.returncode, tuple((done.stdout + done.stderr).strip().splitlines()[-3:]))


def search(mutant: Mutant, kind: Kind, minutes: float, seeds: Iterator[int], product: Path) -> Verdict:
    """Run campaigns until one catches the mutant, or there are no more seeds."""
    verdict = put_through(mutant, kind, minutes, next(seeds), product)
    for seed in seeds:
        if verdict.caught:
            break
        verdict = put_through(mutant, kind, minutes, seed, product)
    return verdict
