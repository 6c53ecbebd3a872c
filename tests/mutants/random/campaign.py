"""A campaign of random mutants: the tests are collected and measured, then each mutant is tried."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.copies import COPIED, copy_mutated, copy_product
from tests.mutants.random import measuring
from tests.mutants.random.choice import MOST_SECONDS, Measured, choose, read_measured
from tests.mutants.random.drawing import Drawn
from tests.mutants.random.trial import FEWER, HANG, LIMIT, Bench, Trial, passes_alone, try_out
from tests.mutants.running import run_tests

READ = ("tools", "requirements", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "Makefile")
"""What some of the tests read, in addition to what every copy has."""
MEASURING = ("-p", "tests.mutants.random.measuring", "-o", f"timeout={2 * HANG}")
LONGEST_MEASURING = 3600.0
LONGEST_COLLECTING = 300.0


@dataclass(frozen=True)
class Campaign:
    """Where mutants are tried: copies of a tree in a folder, and a server."""

    tree: Path
    folder: Path
    server: str | None
    jobs: int
    tell: Callable[[str], None]
    options: Sequence[str] = ()
    """More arguments for pytest, such as those that select tests."""
    most: float = MOST_SECONDS
    _pass_alone: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        copy_product(self._product, [part for part in (*COPIED, *READ) if (self.tree / part).exists()], self.tree)
        # The tree may be of a commit that measures differently, or not at all.
        own = self._product / "tests" / "mutants" / "random" / "measuring.py"
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(measuring.__file__), own)

    @property
    def _product(self) -> Path:
        return self.folder / "product"

    @property
    def _bench(self) -> Bench:
        return Bench(self._product, self.server, self.options)

    def collect(self, tests: Iterable[str]) -> list[str]:
        """Return the nodes that pytest collects from these files and folders.

        It also leaves all modules compiled, for the many processes that follow.
        """
        options = ("--collect-only", *self.options)
        outcome = run_tests(
            self._product,
            list(tests),
            self.server,
            seconds=LONGEST_COLLECTING,
            options=options,
            variables=FEWER,
        )
        if outcome.status != 0:
            raise RuntimeError(f"the tests could not be collected:\n{outcome.output}")
        return [line for line in outcome.output.splitlines() if "::" in line]

    def measure(self, nodes: Sequence[str], package: str) -> list[Measured]:
        """Run these tests once, as for a mutant, and return which lines of the package each that passes runs."""
        modules: defaultdict[str, list[str]] = defaultdict(list)
        for node in nodes:
            modules[node.partition("::")[0]].append(node)
        parts = [sorted(modules)[one :: self.jobs] for one in range(min(self.jobs, len(modules)))]

        def of_part(number: int) -> list[Measured]:
            return self._measure(number, [node for module in parts[number] for node in modules[module]], package)

        with ThreadPoolExecutor(self.jobs) as pool:
            return [test for measured in pool.map(of_part, range(len(parts))) for test in measured]

    def _measure(self, number: int, nodes: Sequence[str], package: str) -> list[Measured]:
        target = self.folder / f"measured-{number}.json"
        copy = copy_mutated(self._product, self.folder / f"measured-{number}", ())
        listed = copy / "nodes.txt"
        listed.write_text("\n".join(nodes), encoding="utf-8")
        outcome = run_tests(
            copy,
            [f"@{listed}"],
            self.server,
            limit=LIMIT,
            seconds=LONGEST_MEASURING,
            options=(*MEASURING, f"--measure={package}", f"--measured={target}", *self.options),
            variables=FEWER,
        )
        if not target.exists():
            raise RuntimeError(f"the tests could not be measured:\n{outcome.output}")
        for line in outcome.output.splitlines():
            if line.startswith(("FAILED ", "ERROR ")):
                self.tell(f"left out: {line}")
        return read_measured(target)

    def run(self, mutants: Sequence[tuple[Drawn, str | None]], measured: Sequence[Measured]) -> Iterator[Trial]:
        """Try all mutants in their order, each first by the test that caught it before."""

        def trial(number: int) -> Trial:
            mutant, first = mutants[number]
            chosen = choose(measured, mutant.file, mutant.mutation.lines, first=first, most=self.most)
            tried = try_out(mutant, self._bench, self.folder / f"mutant-{number}", chosen, self._passes)
            self.tell(f"{number + 1:3} {mutant.place} {mutant.mutation.what}: {tried.by or 'SURVIVED'}")
            return tried

        with ThreadPoolExecutor(self.jobs) as pool:
            yield from pool.map(trial, range(len(mutants)))

    def _passes(self, node: str) -> bool:
        if node not in self._pass_alone:
            with TemporaryDirectory(dir=self.folder) as folder:
                self._pass_alone[node] = passes_alone(node, self._bench, Path(folder) / "unchanged")
        return self._pass_alone[node]
