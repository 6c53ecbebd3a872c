"""The tool of random mutants, on a product of a few lines."""

import sys
import textwrap
from pathlib import Path

import pytest

from tests.mutants.copies import ROOT
from tests.mutants.random.choice import MOST_SECONDS, Measured, choose, read_measured
from tests.mutants.random.drawing import Drawn, draw, every_mutant
from tests.mutants.random.equivalents import Equivalent, read_equivalents, reason
from tests.mutants.random.mutations import mutations
from tests.mutants.random.report import as_json, table
from tests.mutants.random.trial import Trial, try_out
from tests.mutants.running import run_tests

TOY = '''
"""A toy."""

def is_free(until: float, now: float) -> bool:
    """Say whether it is free."""
    return until < now


def unused(value: int) -> int:
    return value + 1
'''
TESTS = """
import pytest
from toy.toy import is_free

@pytest.mark.parametrize("until", [1.0, 2.0])
def test_it_is_free_at_its_end_and_no_earlier(until):
    assert is_free(until, 3.0)
    assert not is_free(3.0, 3.0)
    assert not is_free(4.0, 3.0)

def test_the_toy_is_there():
    assert is_free
"""


def changes(text: str) -> set[tuple[str, str]]:
    text = textwrap.dedent(text)
    return {(one.was(text), one.now(text)) for one in mutations(text)}


@pytest.mark.parametrize(
    ("line", "mutated"),
    [
        ("a = b < c", ["a = b <= c", "a = b > c"]),
        ("a = b is not c", ["a = b is c"]),
        ("a = b + c", ["a = b - c"]),
        ("a = not b", ["a = (b)"]),
        ("a = b and c", ["a = b or c", "a = True and c", "a = b and True"]),
        ("a = (b) in (c)", ["a = (b) not in (c)"]),
        ("a = 2", ["a = 3"]),
        ("a = 0.5", ["a = 1.5"]),
        ("a = True", ["a = False"]),
        ("a = b['key']", ["a = b['keyx']"]),
        ("a.b = c", ["pass"]),
        ("a += c", ["pass"]),
        ("a(b)", ["pass"]),
        ("a(b, c=d)", ["pass", "a(b)"]),
        ("raise A('a sentence')", ["pass"]),
        ("if a: b = c", ["if not (a): b = c"]),
        ("a = b if c else d", ["a = b if (not (c)) else d"]),
        ("def f(a=1): return a", ["def f(a=2): return a", "def f(a=1): return None"]),
        ("def f(): return a == b", [f"def f(): return {said}" for said in ("a != b", "True", "False")]),
        ("async def f(): x = await g(a, b)", ["async def f(): x = await g(b, a)"]),
        ("q = s.where(a, b)", ["q = s", "q = s.where(b)", "q = s.where(a)"]),
        ("q = s.where(a).limit(b)", ["q = s.limit(b)", "q = s.where(a)"]),
        ("q = s.with_for_update(skip_locked=b)", ["q = s", "q = s.with_for_update()"]),
    ],
)
def test_what_a_line_decides_and_does_is_mutated(line: str, mutated: list[str]) -> None:
    assert changes(line) == {(line, one) for one in mutated}


def test_an_error_is_handled_differently() -> None:
    found = changes(
        """
        try:
            a = b
        except E:
            c = d
        """
    )
    assert found == {("c = d", "raise"), ("c = d", "pass")}


@pytest.mark.parametrize(
    "said",
    [
        '"""A docstring."""',
        "import a",
        "a: int | None = b",
        "def f(a: int | None, b: Literal['c']) -> Literal[True]: ...",
        "Alias = Callable[[], Literal[True]]",
        "Alias = int | None",
        "class A(Protocol):\n    a = 1",
        "@overload\ndef f(a=1): return a",
        "def __repr__(self): return a == b",
        "a = f'{1 + 1} words'",
        "a = 'a whole sentence'",
        "a = _logger.info('%d', 1)",
        "if TYPE_CHECKING:\n    a = 1",
    ],
)
def test_what_is_for_readers_alone_is_not(said: str) -> None:
    assert changes(said) == set()


def test_a_seed_draws_the_same_mutants_each_at_another_place() -> None:
    texts = {"toy/toy.py": TOY}
    assert draw(texts, 1, 2) == draw(texts, 1, 2)
    every = draw(texts, 1, 1000)
    spans = [one.mutation.span for one in every]
    assert len(spans) == len(set(spans)) < len(every_mutant(texts))
    assert len({tuple(draw(texts, seed, 2)) for seed in range(20)}) > 1


def test_the_tests_of_a_line_come_before_those_of_its_file_and_slow_ones_last() -> None:
    here, there = {"a.py": frozenset({7})}, {"a.py": frozenset({9})}
    tests = [
        Measured("slow", 30.0, True, here),
        Measured("of the file", 0.1, True, there),
        Measured("with a server", 0.1, False, here),
        Measured("quick", 0.2, True, here),
        Measured("elsewhere", 0.1, True, {"b.py": frozenset({7})}),
        Measured("endless", MOST_SECONDS, True, here),
    ]
    assert choose(tests, "a.py", (6, 8)) == ["quick", "with a server", "slow", "of the file"]


def test_what_no_test_runs_was_run_at_its_import_and_is_tried_with_all_quick_ones() -> None:
    tests = [
        Measured("of the file", 0.1, False, {"a.py": frozenset({9})}),
        Measured("quick", 0.2, True, {"b.py": frozenset({7})}),
        Measured("with a server", 0.1, False, {"b.py": frozenset({7})}),
    ]
    assert choose(tests, "a.py", (7, 7)) == ["quick", "of the file"]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    for path, text in {"toy/toy.py": TOY, "checks/test_toy.py": TESTS}.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = . {ROOT}\n")
    return folder


@pytest.mark.usefixtures("processes")
def test_a_mutant_is_caught_by_the_test_that_fails_on_it_and_one_that_nothing_runs_survives(
    toy: Path, tmp_path: Path
) -> None:
    drawn = every_mutant({"toy/toy.py": TOY})
    boundary = next(one for one in drawn if one.now == "return until <= now")
    unused = next(one for one in drawn if one.now == "return value - 1")
    nodes = ["checks/test_toy.py"]
    caught, survived = (try_out(one, toy, tmp_path / "mutant", nodes, None) for one in (boundary, unused))
    assert caught.by == "checks/test_toy.py::test_it_is_free_at_its_end_and_no_earlier[1.0]"
    assert survived.by is None
    assert not (tmp_path / "mutant").exists()


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="needs Python 3.12")
@pytest.mark.usefixtures("processes")
def test_which_test_runs_which_lines_is_measured(toy: Path, tmp_path: Path) -> None:
    target = tmp_path / "measured.json"
    (toy / "conftest.py").write_text('pytest_plugins = ["tests.mutants.random.measuring"]\n')
    options = ["--measure=toy", f"--measured={target}"]
    outcome = run_tests(toy, ["checks/test_toy.py"], None, options=options)
    assert outcome.status == 0, outcome.output
    measured = {test.node.partition("::")[2]: test for test in read_measured(target)}
    run = TOY.splitlines().index("    return until < now") + 1
    assert measured["test_it_is_free_at_its_end_and_no_earlier[2.0]"].lines == {"toy/toy.py": {run}}
    assert measured["test_the_toy_is_there"].lines == {}


def test_the_report_has_those_that_survived_and_the_reason_of_those_that_are_none() -> None:
    one, other, third = draw({"toy/toy.py": TOY}, 1, 3)
    trials = [Trial(one, None, 3, 1.0), Trial(other, "a test", 2, 1.0), Trial(third, None, 0, 0.0)]
    reasons = [None, None, "no one can see it"]
    said = table(trials, reasons)
    assert f"+ {one.now}" in said
    assert "equivalent: no one can see it" in said
    assert said.endswith("3 mutants: 1 caught, 1 equivalent, 1 survived (2 s)")
    assert [each["caught_by"] for each in as_json(trials, reasons)] == [None, "a test", None]


def test_an_equivalent_mutant_is_known_wherever_its_line_is() -> None:
    (one,) = draw({"toy/toy.py": TOY}, 1, 1)
    (moved,) = draw({"toy/toy.py": f"\n{TOY}"}, 1, 1)
    known = [Equivalent("toy/toy.py", one.was, one.now, "a reason")]
    assert reason(one, known) == reason(moved, known) == "a reason"
    assert reason(Drawn("other.py", one.text, one.mutation), known) is None


@pytest.mark.usefixtures("passing_seconds")
def test_each_equivalent_mutant_is_one_of_the_code_as_it_is() -> None:
    known = read_equivalents()
    files = {one.file for one in known}
    drawn = every_mutant({file: (ROOT / file).read_text(encoding="utf-8") for file in files if (ROOT / file).exists()})
    outdated = [f"{one.file}: {one.was}" for one in known if not any(one.is_of(each) for each in drawn)]
    assert outdated == [], "the code has changed: delete these of equivalent.toml, or review them again"
    assert all(one.because for one in known)
