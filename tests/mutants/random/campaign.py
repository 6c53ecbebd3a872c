"""A campaign of random mutants: the tests are measured, then each mutant is tried."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.copies import copy_mutated, copy_product
from tests.mutants.random.choice import Measured, choose, read_measured
from tests.mutants.random.drawing import Drawn
from tests.mutants.random.equivalents import Equivalent, reason
from tests.mutants.random.trial import FEWER, HANG, LIMIT, Trial, try_out
from tests.mutants.running import run_tests

TESTS = ("tests/lease", "tests/model")
MEASURING = ("-p", "tests.mutants.random.measuring", "-o", f"timeout={2 * HANG}")
LONGEST_MEASURING = 1800.0


@dataclass(frozen=True)
class Campaign:
    """Where mutants are tried: copies of the product in a folder, and a server."""

    folder: Path
    server: str | None
    jobs: int
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        copy_product(self._product)

    @property
    def _product(self) -> Path:
        return self.folder / "product"

    def measure(self) -> list[Measured]:
        """Run all tests of the library once, as for a mutant, and return which lines each that passes runs."""
        files = sorted(path for room in TESTS for path in (self._product / room).rglob("test_*.py"))
        parts = [files[one :: self.jobs] for one in range(self.jobs)]
        with ThreadPoolExecutor(self.jobs) as pool:
            return [test for measured in pool.map(self._measure, range(self.jobs), parts) for test in measured]

    def _measure(self, number: int, files: Sequence[Path]) -> list[Measured]:
        target = self.folder / f"measured-{number}.json"
        copy = copy_mutated(self._product, self.folder / f"measured-{number}", ())
        nodes = [str(file.relative_to(self._product)) for file in files]
        options = (*MEASURING, f"--measured={target}")
        outcome = run_tests(
            copy, nodes, self.server, limit=LIMIT, seconds=LONGEST_MEASURING, options=options, variables=FEWER
        )
        if not target.exists():
            raise RuntimeError(f"the tests could not be measured:\n{outcome.output}")
        return read_measured(target)

    def run(
        self, drawn: Sequence[Drawn], measured: Sequence[Measured], equivalents: Sequence[Equivalent]
    ) -> list[Trial]:
        """Try all mutants besides the equivalent ones."""

        def trial(number: int) -> Trial:
            mutant = drawn[number]
            if reason(mutant, equivalents):
                return Trial(mutant, None, 0, 0.0)
            nodes = choose(measured, mutant.file, mutant.mutation.lines)
            tried = try_out(mutant, self._product, self.folder / f"mutant-{number}", nodes, self.server)
            self.tell(f"{number + 1:3} {mutant.place} {mutant.mutation.what}: {tried.by or 'SURVIVED'}")
            return tried

        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(trial, range(len(drawn))))
