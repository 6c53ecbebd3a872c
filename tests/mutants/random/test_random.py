"""The tool of random mutants, on a product of a few lines."""

import json
import sys
import textwrap
from pathlib import Path

import pytest

from tests.mutants.copies import ROOT
from tests.mutants.random.again import Earlier, Name, Named, read_earlier
from tests.mutants.random.campaign import Campaign
from tests.mutants.random.choice import MOST_SECONDS, Chosen, Measured, choose, read_measured
from tests.mutants.random.drawing import PARTS, Drawn, Equivalent, draw, every_mutant, read_equivalents, reason
from tests.mutants.random.mutations import mutations
from tests.mutants.random.report import Result, as_json, table
from tests.mutants.random.trial import Bench, Trial, try_out
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
import logging
import pytest
from toy.toy import is_free

@pytest.mark.parametrize("until", [1.0, 2.0])
def test_it_is_free_at_its_end_and_no_earlier(until):
    logging.error("a::b, which is no test")
    assert is_free(until, 3.0)
    assert not is_free(3.0, 3.0)
    assert not is_free(4.0, 3.0)

def test_the_toy_is_there():
    assert is_free
"""
CAUGHT = "checks/test_toy.py::test_it_is_free_at_its_end_and_no_earlier"
THERE = "checks/test_toy.py::test_the_toy_is_there"


TWINS = """
class A:
    def f(self):
        yield 1
        yield 1

    def g(self):
        yield 1
        yield 1
"""


def moved(text: str) -> str:
    return "import a\n\n" + text.replace("class A:", "class A:\n    b = 1\n")


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
        "a = TypeVarTuple('A')",
        "del a",
        "raise NotImplementedError",
        "a = b(c, name='words')",
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
    chosen = choose(tests, "a.py", (6, 8), most=MOST_SECONDS - 1)
    assert chosen.nodes == ["quick", "with a server", "slow", "of the file"]
    assert chosen.left_out == 1


def test_of_equally_quick_tests_those_of_the_room_that_a_mutant_is_in_come_first() -> None:
    lines = {"daemon/store/a.py": frozenset({7})}
    nodes = ["tests/daemon/audit/test_a.py::test", "tests/daemon/store/test_a.py::test"]
    tests = [Measured(node, 0.1, False, lines) for node in nodes]
    assert choose(tests, "daemon/store/a.py", (7, 7)).nodes == nodes[::-1]


def test_the_test_that_caught_a_mutant_before_is_tried_first_and_alone_if_it_is_there_still() -> None:
    here = {"a.py": frozenset({7})}
    tests = [Measured("quick", 0.1, True, here), Measured("slow", 200.0, False, here)]
    sessions = [[test.node for test in session] for session in choose(tests, "a.py", (7, 7), first="slow").sessions]
    assert sessions == [["slow"], ["quick"]]
    assert choose(tests, "a.py", (7, 7), first="gone").nodes == ["quick"]


def test_what_no_test_runs_was_run_at_its_import_and_is_tried_with_all_quick_ones() -> None:
    tests = [
        Measured("of the file", 0.1, False, {"a.py": frozenset({9})}),
        Measured("quick", 0.2, True, {"b.py": frozenset({7})}),
        Measured("with a server", 0.1, False, {"b.py": frozenset({7})}),
    ]
    assert choose(tests, "a.py", (7, 7)).nodes == ["of the file", "quick"]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    for path, text in {"toy/toy.py": TOY, "checks/test_toy.py": TESTS}.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = . {ROOT}\n")
    return folder


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_a_mutant_is_caught_by_the_test_that_fails_on_it_and_one_that_nothing_runs_survives(
    toy: Path, tmp_path: Path
) -> None:
    drawn = every_mutant({"toy/toy.py": TOY})
    boundary = next(one for one in drawn if one.now == "return until <= now")
    unused = next(one for one in drawn if one.now == "return value - 1")
    bench, chosen = Bench(toy), Chosen([[Measured(f"{CAUGHT}[1.0]", 0.1, True, {}), Measured(THERE, 0.1, True, {})]])
    caught, survived = (try_out(one, bench, tmp_path / "mutant", chosen) for one in (boundary, unused))
    assert caught.by == f"{CAUGHT}[1.0]"
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


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_a_test_that_fails_once_only_or_on_the_product_itself_catches_nothing(toy: Path, tmp_path: Path) -> None:
    (toy / "checks/test_toy.py").write_text(
        """
from pathlib import Path

def test_once():
    marker = Path("marker")
    marker.write_text(str(int(marker.read_text()) + 1 if marker.exists() else 1))
    assert marker.read_text() != "1"

def test_always():
    assert False
"""
    )
    drawn = every_mutant({"toy/toy.py": TOY})[0]
    always = "checks/test_toy.py::test_always"
    chosen = Chosen([[Measured(node, 0.1, True, {}) for node in ("checks/test_toy.py::test_once", always)]])
    tried = try_out(drawn, Bench(toy), tmp_path / "mutant", chosen, lambda node: node != always)
    assert (tried.by, tried.uncertain) == (None, ("checks/test_toy.py::test_once", always))


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="needs Python 3.12")
@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_a_campaign_tries_another_tree_whose_own_tool_is_older_with_the_tests_that_are_selected_there(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    files = {
        "lease/toy.py": TOY,
        "tests/lease/test_toy.py": TESTS.replace("toy.toy", "lease.toy"),
        "tests/support/fast.py": "def starts_nothing(item): return True",
        "tests/mutants/random/measuring.py": "raise NotImplementedError",
        "docs/internals/rules.md": "What is copied with each mutant, too, is copied once.",
    }
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_text(text)
    for package in ("lease", "tests"):
        (tree / package / "__init__.py").touch()
    (tree / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    part, told = PARTS["lease"], list[str]()
    campaign = Campaign(tree, tmp_path, None, 1, told.append, ["-k", "2.0 or there"])
    nodes = campaign.collect(["tests/lease"])
    assert [node.partition("::")[2] for node in nodes] == [f"{CAUGHT.partition('::')[2]}[2.0]", "test_the_toy_is_there"]
    drawn = [one for one in every_mutant(part.texts(tree)) if one.now == "return until <= now"]
    (trial,) = campaign.run([(one, None) for one in drawn], campaign.measure(nodes, part.package))
    assert trial.by == nodes[0]


def test_a_part_is_all_files_of_its_rooms_but_for_migrations(tmp_path: Path) -> None:
    files = ["daemon/store/a.py", "daemon/recovery/b/c.py", "daemon/cli/d.py", "daemon/store/migrations/versions/1.py"]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(file)
    assert PARTS["daemon"].texts(tmp_path) == {file: file for file in sorted(files[:2])}


def test_a_mutant_is_found_again_where_its_lines_have_moved_and_by_its_function_if_another_is_alike() -> None:
    for one in every_mutant({"a.py": TWINS}):
        named = Named({"a.py": TWINS})
        earlier = Earlier(Name.of(one), named.nth(one), None)
        found = Named({"a.py": moved(TWINS)}).find(earlier)
        assert found is not None
        assert found.edit.new == moved(one.edit.new)


def test_a_mutant_is_found_in_a_function_of_another_name_only_if_nothing_else_is_alike() -> None:
    text = "def f():\n    return [1]\n"
    drawn = every_mutant({"a.py": text})[0]
    earlier = Earlier(Name.of(drawn), 0, None)
    renamed = Named({"a.py": text.replace("f(", "g(")}).find(earlier)
    assert renamed is not None
    assert renamed.mutation == drawn.mutation
    assert Named({"a.py": text.replace("f(", "g(") + text.replace("f(", "h(")}).find(earlier) is None
    assert Named({"b.py": text}).find(earlier) is None


def test_results_name_their_mutants_for_the_next_campaign(tmp_path: Path) -> None:
    texts = {"a.py": TWINS}
    named, drawn = Named(texts), every_mutant(texts)
    file = tmp_path / "results.json"
    file.write_text(json.dumps(as_json([Result(one, Trial("a test", 1, 1.0)) for one in drawn], named)))
    again = read_earlier(file)
    assert [one.caught_by for one in again] == ["a test"] * len(drawn)
    assert [named.find(one) for one in again] == drawn


def test_the_report_has_each_fate_and_compares_with_the_earlier_campaign() -> None:
    drawn = draw({"toy/toy.py": TOY}, 1, 5)
    before = [Earlier(Name.of(one), 0, "an old test") for one in drawn]
    results = [
        Result(drawn[0], Trial(None, 3, 1.0, left_out=2), earlier=before[0]),
        Result(drawn[1], Trial("a test", 2, 1.0), earlier=before[1]),
        Result(drawn[2], Trial("a test", 2, 1.0), earlier=Earlier(Name.of(drawn[2]), 0, None)),
        Result(drawn[3], equivalent="no one can see it"),
        Result(None, earlier=before[4]),
    ]
    said = table(results)
    assert f"+ {drawn[0].now}" in said
    assert "SURVIVED 3 tests (2 more were left out for time), caught before by an old test" in said
    assert "equivalent: no one can see it" in said
    assert "GONE, caught before by an old test" in said
    assert "5 mutants: 2 caught, 1 survived, 1 equivalent, 1 gone (3 s)" in said
    assert said.endswith("before: 3 caught; of these 2 are not now, and 1 others are")


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
