"""The plan of the house: each room says what belongs in it, a file is one subject, imports run one way only, and no name
is given to two things.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

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

BY_STRING = {
    "daemon/__init__.py": "",  # its public names; a type checker sees each as a plain import
    "daemon/cli/app.py": r"daemon\.cli\.commands\..+",
    "daemon/cli/commands/defining/schema.py": r"daemon\.(answers|cli\.commands|operations|recovery)\..+",  # the answers of all commands
    "daemon/definitions/sources/load.py": "",  # what users name
    "daemon/definitions/sources/toml_file.py": "",  # what users name
    "daemon/store/statements/dialects.py": "",  # SQLAlchemy's, by the kind of database
    "lease/__init__.py": "",  # as daemon/__init__.py
    "lease/database/opening.py": r"lease\.database\.(postgresql|sqlite)",
}
"""The only files that import what a string names, which may not be a literal; and which modules of ours that can be."""


def named_by_string(node: ast.AST) -> ast.expr | None:
    """Return what names the module, where this is an import by a string."""
    match node:
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module" | "__import__"),
            args=[name, *_],
        ):
            return name
        case _:
            return None


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports, wherever it does: at its top, in functions, for type checkers alone, and by strings."""
    package = module(path) if path.name == "__init__.py" else module(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                yield whole if f"{whole}.{alias.name}" not in MODULES else f"{whole}.{alias.name}"
        elif isinstance(name := named_by_string(node), ast.Constant):
            yield resolve_name(str(name.value), package)
    if shown(path) in BY_STRING:
        yield from (name for name in MODULES if re.fullmatch(BY_STRING[shown(path)], name))


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


MODULES = {module(path): path for path in PRODUCT}


def test_a_room_says_what_belongs_in_it() -> None:
    """In the first line of its docstring, which is one sentence."""
    first = {
        room: (ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or "").partition("\n")[0]
        for room in ROOMS
    }
    assert [shown(room) for room, line in first.items() if not line.rstrip().endswith((".", ":"))] == []


def test_the_life_of_a_run_is_told_by_modules_that_are_there() -> None:
    told = ast.get_docstring(ast.parse((ROOT / "daemon" / "__init__.py").read_text())) or ""
    _, _, path = told.partition("The life of a run")
    named = re.findall(r"(?:^    |`)([a-z]+(?:\.[a-z_]+)+)", path, re.MULTILINE)
    assert len(named) > 10
    assert {name for name in named if f"daemon.{name}" not in MODULES} == set()


def test_tests_mirror_the_rooms() -> None:
    def rooms(folder: Path) -> set[str]:
        return {path.name for path in folder.iterdir() if any(path.glob("*.py"))}

    assert rooms(ROOT / "tests" / "daemon") == rooms(ROOT / "daemon")
    assert rooms(ROOT / "tests" / "lease") <= rooms(ROOT / "lease")


def test_no_files_import_each_other_in_a_circle() -> None:
    """An import inside a function works, but ties the files together all the same."""
    graph = {name: sorted({*imports(path)} & MODULES.keys() - {name}) for name, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # its error names a circle


def test_only_these_files_import_by_a_string_and_none_by_a_literal() -> None:
    names = {
        (shown(path), ast.unparse(name))
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if (name := named_by_string(node)) is not None
    }
    assert {path for path, _ in names} == BY_STRING.keys()
    assert {(path, name) for path, name in names if name.startswith(("'", '"'))} == set()


def test_no_file_is_long() -> None:
    assert {shown(path) for path in PRODUCT if len(path.read_text().splitlines()) > MOST_LINES} == LONG_FILES


def test_no_function_is_long() -> None:
    long = {
        f"{shown(path)}:{node.name}"
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    }
    assert long == LONG_FUNCTIONS


def test_no_row_of_the_daemons_is_read_by_position() -> None:
    """A column that slips into another's place would go unnoticed: a `Reader` knows the names of the fields."""
    by_position = re.compile(r"\b[A-Z]\w+\((\*|tuple\(|\()+row\b|\brow\[:?\d")
    rooms = [path for path in PRODUCT if shown(path).startswith("daemon/store/")]
    assert [shown(path) for path in rooms if by_position.search(path.read_text())] == []


def test_no_two_classes_have_one_name() -> None:
    places: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name][shown(path)] += 1
    twice = {name: sorted(files) for name, files in places.items() if files.total() > 1 and name not in IN_TWO_PLACES}
    assert twice == {}


def test_every_class_of_data_loads_on_python_3_11() -> None:
    """There, a mapping proxy cannot be hashed, so that a dataclass refuses it as a default; a newer Python takes it."""
    proxies = {
        f"{shown(path)}:{owner.name}"
        for path in PRODUCT
        for owner in ast.walk(ast.parse(path.read_text()))
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, ast.AnnAssign) and node.value and "MappingProxyType(" in ast.unparse(node.value)
    }
    assert proxies == set()
