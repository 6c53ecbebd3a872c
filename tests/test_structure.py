"""The plan of the house: each room says what belongs in it, a file is one subject, and no name is given to two things."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = sorted(path for top in ("lease", "daemon") for path in (ROOT / top).rglob("*.py"))
ROOMS = sorted({path.parent for path in PRODUCT if "versions" not in path.parts})

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 50

LONG_FILES: set[str] = set()
LONG_FUNCTIONS = {
    "daemon/store/migrations/versions/0001_tables.py:_run",  # a table, column by column
}
IN_TWO_PLACES = frozenset({"Lease", "LeaseClient"})
"""The sync client has the names of the async one, in a module of its own: that is its interface."""


def classes(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield node.name


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("room", ROOMS, ids=shown)
def test_a_room_says_what_belongs_in_it(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert said.splitlines()[:1], f"{shown(room)}/__init__.py has no docstring"
    assert said.splitlines()[0].rstrip().endswith((".", ":")), "its first line is one sentence"


def test_tests_mirror_the_rooms() -> None:
    def rooms(folder: Path) -> set[str]:
        return {path.name for path in folder.iterdir() if any(path.glob("*.py"))}

    assert rooms(ROOT / "tests" / "daemon") == rooms(ROOT / "daemon")
    assert rooms(ROOT / "tests" / "lease") <= rooms(ROOT / "lease")


def test_no_file_is_long() -> None:
    assert {shown(path) for path in PRODUCT if len(path.read_text().splitlines()) > MOST_LINES} == LONG_FILES


def test_no_function_is_long() -> None:
    long = {
        f"{shown(path)}:{name}"
        for path in PRODUCT
        for name, lines in functions(path)
        if lines > MOST_LINES_OF_A_FUNCTION
    }
    assert long == LONG_FUNCTIONS


def test_no_two_classes_have_one_name() -> None:
    places: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for path in PRODUCT:
        for name in classes(path):
            places[name][shown(path)] += 1
    twice = {name: sorted(files) for name, files in places.items() if files.total() > 1 and name not in IN_TWO_PLACES}
    assert twice == {}
