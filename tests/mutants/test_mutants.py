"""Each wrong variant of the product is caught by its checks, which the product itself passes.

`make test-all` tries every sixtieth, on one kind of database, in turn; `make mutants` tries each on all of its kinds.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from tests.chaos.pooler import MISSING, pooler_program
from tests.mutants.copies import ROOT, copy_mutated, copy_product
from tests.mutants.mutant import Checks, Edit, Kind, Mutant, MutantOutdatedError
from tests.mutants.mutants import MUTANTS, read
from tests.mutants.running import SECONDS, TESTS_FAILED, run_tests, where_imported

pytestmark = [pytest.mark.mutants, pytest.mark.timeout(SECONDS + 60)]


@dataclass(frozen=True, slots=True)
class Case:
    """A mutant beside the checks of a kind of database, or of both where these are the same."""

    mutant: Mutant
    kinds: tuple[Kind, ...]
    checks: Checks

    def __str__(self) -> str:
        return f"{self.mutant.name}-{'+'.join(self.kinds)}"


def cases_of(mutant: Mutant) -> list[Case]:
    kinds: dict[Checks, list[Kind]] = {}
    for kind, checks in mutant.caught_by.items():
        kinds.setdefault(checks, []).append(kind)
    return [Case(mutant, tuple(of), checks) for checks, of in kinds.items()]


def chosen(cases: Sequence[Case], turn: int) -> Sequence[Case]:
    if TRY_ALL:
        return cases
    return [] if turn % EVERY else [cases[turn // EVERY % len(cases)]]


def lacks_pooler(case: Case) -> bool:
    return case.mutant.needs_pooler and pooler_program() is None


TRY_ALL = os.environ.get("LEASED_MUTANTS") == "all"
EVERY = 60
CASES = [case for turn, mutant in enumerate(MUTANTS) for case in chosen(cases_of(mutant), turn)]


def controls() -> dict[str, Checks]:
    """Return all checks once, by their room and by whether they need PostgreSQL."""
    nodes = {
        (node.split("/")[1], "postgres" if case.kinds == ("postgres",) else "sqlite", node)
        for case in CASES
        for node in case.checks
        if not lacks_pooler(case)
    }
    return {
        f"{room}-{kind}": tuple(node for *_, node in group)
        for (room, kind), group in groupby(sorted(nodes), key=lambda one: one[:2])
    }


CONTROLS = controls()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_product(tmp_path_factory.mktemp("mutants") / "product")


def server_for(kinds: tuple[str, ...], request: pytest.FixtureRequest) -> str | None:
    return str(request.getfixturevalue("postgres_server").url) if kinds == ("postgres",) else None


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_a_mutant_is_caught(case: Case, product: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if lacks_pooler(case):
        pytest.skip(MISSING)
    server = server_for(case.kinds, request)
    mutated = copy_mutated(product, tmp_path / "product", case.mutant.edits)
    outcome = run_tests(mutated, case.checks, server, limit=10.0)
    assert outcome.status == TESTS_FAILED, outcome.output
    survived = [node for node in case.checks if not outcome.failed(node)]
    assert survived == [], f"{case.mutant.says}: not noticed\n{outcome.output}"


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_the_product_itself_passes_those_checks(
    name: str, product: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Otherwise a check that fails would prove nothing."""
    server = server_for((name.rpartition("-")[2],), request)
    unchanged = copy_mutated(product, tmp_path / "product", ())
    outcome = run_tests(unchanged, CONTROLS[name], server)
    assert outcome.status == 0, outcome.output
    assert [node for node in CONTROLS[name] if not outcome.passed(node)] == [], outcome.output


@pytest.mark.usefixtures("processes")
def test_what_runs_in_a_copy_is_the_copy(product: Path) -> None:
    imported = where_imported(product)
    assert len(imported) == 3
    assert all(path.is_relative_to(product) for path in imported)


def test_a_copy_can_change_nothing_of_the_product(product: Path, tmp_path: Path) -> None:
    edit = Edit("leased.py", "main", "main")
    before = (product / edit.file).read_text()
    whole = Edit(edit.file, before, "nothing")
    mutated = copy_mutated(product, tmp_path / "product", [whole])
    assert (mutated / edit.file).read_text() == "nothing"
    assert (product / edit.file).read_text() == before
    assert not (product / edit.file).samefile(ROOT / edit.file)


def test_a_mutant_fits_the_code_as_it_is() -> None:
    for mutant in MUTANTS:
        fits(mutant)


def fits(mutant: Mutant) -> None:
    texts = {edit.file: (ROOT / edit.file).read_text(encoding="utf-8") for edit in mutant.edits}
    original = dict(texts)
    for edit in mutant.edits:
        try:
            texts[edit.file] = edit.apply(texts[edit.file])
        except MutantOutdatedError as error:
            pytest.fail(f"{mutant.name}: {error}")
    for file, text in texts.items():
        assert text != original[file], mutant.name
        if file.endswith(".py"):
            compile(text, file, "exec")


def test_a_mutant_is_read_from_its_lines() -> None:
    text = "# why\n\n[a] late\nit is\nwrong\nlease/a.py\n  if:\n-     b\n+     c\n+     d\nlease/a.py\n- e\neach x::\n  y[{}]\n"
    edits = (Edit("lease/a.py", "if:\n    b", "if:\n    c\n    d"), Edit("lease/a.py", "e\n", ""))
    caught_by: dict[Kind, Checks] = {"postgres": ("x::y[postgres]",), "sqlite": ("x::y[sqlite]",)}
    assert [*read(text)] == [Mutant("a", "it is wrong", edits, caught_by, in_campaigns="late")]
    with pytest.raises(ValueError, match="a: nonsense"):
        list(read(f"{text}nonsense\n"))


def test_names_are_given_once() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))
