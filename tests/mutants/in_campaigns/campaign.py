"""A campaign over a mutant: does it find a promise broken?

It finds what its faults bring about in its time, so that one which finds nothing proves nothing.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.checker import Promise
from tests.mutants.copies import copy_mutated
from tests.mutants.mutant import Kind, Mutant

SETTLING = 600.0
"""Seconds for all that a campaign does but its faults."""
_OF_THE_MACHINE = re.compile(rf"^{Promise.RECOVERY}:|^only \d+ of \d+ occurrences ran$|was never granted anything$")
"""What a machine that is busy with other campaigns brings about too, so that it tells nothing of a mutant."""
_HANGS = re.compile(r"not within \d+ s: [\w-]+ ends$")
"""The last words of a campaign one of whose replicas does not end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The problems that a campaign found in a mutant; its last words, if it could not be run."""

    seed: int
    broken: Sequence[str]
    last_words: str = ""

    @property
    def caught(self) -> bool:
        return bool(self.broken)


def put_through(mutant: Mutant, kind: Kind, minutes: float, seeds: Iterable[int], product: Path) -> Verdict:
    """Run campaigns over a mutated copy of the copy ``product``, until one catches the mutant or there are no more
    seeds; at least one.
    """
    verdict = Verdict(0, (), "there was no seed")
    with tempfile.TemporaryDirectory(prefix="leased-mutant-", dir=product.parent) as folder:
        mutated = copy_mutated(product, Path(folder) / "mutant", mutant.edits)
        for seed in seeds:
            verdict = _campaign(mutated, kind, minutes, seed)
            if verdict.caught:
                break
    return verdict


def _campaign(product: Path, kind: Kind, minutes: float, seed: int) -> Verdict:
    numbers = product.parent / f"{seed}.json"
    options = [f"--database={kind}", f"--minutes={minutes}", f"--seed={seed}", f"--json={numbers}"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(product), "TMPDIR": str(product.parent)}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tests.chaos", *options],
            cwd=product, env=environment, capture_output=True, text=True, check=False, timeout=minutes * 60 + SETTLING,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Verdict(seed, ("the campaign did not end",))
    if not numbers.exists():
        last = (done.stdout + done.stderr).strip()
        hangs = _HANGS.search(last)
        return Verdict(seed, (), last[-300:]) if hangs is None else Verdict(seed, (hangs.group(),))
    found = [problem for problem in json.loads(numbers.read_text())["problems"] if not _OF_THE_MACHINE.search(problem)]
    return Verdict(seed, found)
