"""The package. Its public surface is pinned: a name that comes or goes is a decision, and shows here. `import lease` is light:
each part is loaded when it is asked for, and nothing of the daemon ever. Its docstring tells the life of a lease as one
hold lives it.
"""

import ast
import importlib
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import lease
from lease.sync import LeaseClient
from tests.lease.calls.callers import warm
from tests.lease.stores import SELDOM
from tests.support.loading import ROOT, loaded_by
from tools.entered import profiled

NAMES = [
    "Acquisition",
    "Break",
    "Duration",
    "Grant",
    "InvalidDuration",
    "InvalidName",
    "InvalidTiming",
    "Lease",
    "LeaseClient",
    "LeaseError",
    "LeaseLost",
    "LeaseNotAcquired",
    "LeaseRecord",
    "LeaseTiming",
    "Loss",
    "LossKind",
    "SchemaMissing",
    "StaleToken",
    "StoreUnavailable",
    "clock",
    "create_tables",
    "events",
    "fence",
    "format_duration",
    "parse_duration",
    "schema",
    "statements",
    "sync",
]


def test_the_public_names_are_these() -> None:
    assert lease.__all__ == NAMES


MODULES = [
    "client",
    "clock",
    "durations",
    "errors",
    "events",
    "model",
    "schema",
    "statements",
    "sync",
    "testing",
    "timing",
]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_named_without_an_import_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = importlib.import_module(f"lease.{name}")
    monkeypatch.delattr(lease, name)
    assert getattr(lease, name) is module


def test_every_error_is_a_lease_error() -> None:
    kinds = [getattr(lease, name) for name in NAMES if isinstance(getattr(lease, name), type)]
    errors = [kind for kind in kinds if issubclass(kind, Exception)]
    assert len(errors) == 9
    assert all(issubclass(kind, lease.LeaseError) for kind in errors)


def test_the_sync_twin_has_the_same_methods_as_the_async_client() -> None:
    sync = importlib.import_module("lease.sync")

    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    own_transactions = {"acquiring", "ending", "heartbeat_age", "label"}  # for async programs such as the daemon
    assert public(lease.LeaseClient) - own_transactions == public(sync.LeaseClient)
    assert public(lease.Lease) - own_transactions == public(sync.Lease)


def test_what_tests_of_users_need_is_in_lease_testing() -> None:
    testing = importlib.import_module("lease.testing")
    assert testing.__all__ == ["ManualClock", "ManualLeases", "MemoryStore"]


OURS = {"lease"}
NEEDED = {"anyio", "psycopg", "sqlalchemy", "tenacity"}


@pytest.mark.usefixtures("processes")
def test_the_package_alone_loads_nothing_but_python() -> None:
    assert loaded_by("import lease") <= OURS


WITHOUT_DATABASE = [
    *(f"import lease.{name}" for name in ("clock", "durations", "errors", "events", "model", "testing", "timing")),
    *(f"from lease import {name}" for name in ("Grant", "LeaseLost", "LeaseTiming", "parse_duration")),
]


@pytest.mark.parametrize("what", WITHOUT_DATABASE)
@pytest.mark.usefixtures("processes")
def test_what_needs_no_database_loads_none(what: str) -> None:
    assert not loaded_by(what) & NEEDED


@pytest.mark.usefixtures("processes")
def test_a_client_on_sqlite_loads_no_driver_of_postgresql(tmp_path: Path) -> None:
    loaded = loaded_by(
        f"import lease\nwith lease.sync.LeaseClient('sqlite:///{tmp_path}/leased.db') as client, client.hold('a'): pass"
    )
    assert "sqlalchemy" in loaded
    assert "psycopg" not in loaded


@pytest.mark.usefixtures("processes")
def test_no_module_of_the_library_loads_a_package_of_the_daemon() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {
        requirement.partition(">")[0].replace("-", "_") for requirement in project["optional-dependencies"]["daemon"]
    }
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "lease").rglob("*.py")
    ]
    loaded = loaded_by("\n".join(f"import {module}" for module in modules))
    assert loaded >= NEEDED
    assert not loaded & {"daemon", *names}


def test_what_a_type_checker_sees_is_what_is_loaded() -> None:
    tree = ast.parse(Path(lease.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert sorted(seen) == lease.__all__
    for name, module in seen.items():
        assert module is None or getattr(lease, name) is getattr(import_module(f"lease.{module}"), name)


def test_a_name_that_is_not_there_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'lease' has no attribute 'Lock'"):
        _ = lease.Lock  # type: ignore[attr-defined]
    assert set(lease.__all__) <= set(dir(lease))


@pytest.mark.usefixtures("processes")
def test_the_fence_is_the_function_also_where_its_module_was_loaded_first() -> None:
    loaded_by("import lease.fences, lease.statements, lease\nassert lease.fence is lease.fences.fence")
    loaded_by("import lease\nassert lease.fence and lease.fence is lease.fences.fence")


ROOM = Path(lease.__file__).parent
MOST_TOLD = 6
MOST_ENTERED = 26


def told() -> list[str]:
    """Return the modules of the docstring, in their order."""
    return re.findall(r"^    ([a-z_.]+)  +\S", lease.__doc__ or "", re.MULTILINE)


def test_a_hold_passes_the_files_that_the_docstring_names_in_their_order(database_url: str) -> None:
    with LeaseClient(database_url, timing=SELDOM) as client:
        warm(client)
        with profiled() as entered:
            entered.is_following = True
            with client.hold("a"):
                pass
            entered.is_following = False
    files = (Path(code.co_filename).relative_to(ROOM) for code in entered.by_caller)
    modules = list(dict.fromkeys(".".join(file.with_suffix("").parts) for file in files))
    assert len(told()) == MOST_TOLD
    assert [module for module in modules if module in told()] == told()
    assert len(modules) <= MOST_ENTERED
