"""`python -m tests.mutants.campaigns`: puts mutants through campaigns, and says which promises these find broken.

A campaign finds what its faults bring about in its time, so that one which finds nothing proves nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.copies import copy_mutated, copy_product
from tests.mutants.mutant import Kind, Mutant
from tests.mutants.mutants import MUTANTS

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


def main() -> None:
    options = _options()
    chosen = [one for one in MUTANTS if options.database in one.caught_by and (one.name in options.names or options.all)]
    with tempfile.TemporaryDirectory(prefix="leased-mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        product = copy_product(Path(folder) / "product")

        def tell(mutant: Mutant) -> None:
            seeds = iter(range(1, options.seeds + 1))
            verdict = search(mutant, options.database, options.minutes, seeds, product)
            caught = "caught" if verdict.caught else "not caught"
            sys.stdout.write(f"{mutant.name}: {caught} with seed {verdict.seed}: {'; '.join(verdict.broken)}\n")
            sys.stdout.flush()

        list(pool.map(tell, chosen))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", help="the mutants", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="all that are wrong on this database")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres", help="where (postgres)")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long there are faults in each (1)")
    parser.add_argument("--seeds", type=int, default=1, help="so many campaigns until one catches it (1)")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns at a time (1)")
    options = parser.parse_args()
    if unknown := set(options.names) - {one.name for one in MUTANTS}:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
