"""From `Schedules` in a process to FILE: where a child finds them again, and the names of the functions there."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from daemon import Schedules
from daemon.definitions.application import Application
from daemon.definitions.sources.load import application_here, load, stamp_of
from daemon.errors import DefinitionError

SHOP = """
from daemon import Schedules

schedules = Schedules("shop")

@schedules.every("1h", timeout="1m")
def count(run): ...
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, own_modules: None) -> Write:
    """Write a module that can be imported; none is left after the test."""
    sys.path.insert(0, str(tmp_path))

    def made(name: str, text: str) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return made


def found_again(application: Application) -> Application:
    """What a child loads, which imports all anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "whereabouts_shop"]:
        del sys.modules[name]
    return load(application.spec)


@pytest.mark.parametrize(
    "name", ["whereabouts_shop.py", "whereabouts_shop/__init__.py", "whereabouts_shop/all/of_it.py"]
)
def test_a_module_is_found_by_what_is_in_it(write: Write, name: str) -> None:
    file = write(name, SHOP)
    module = import_module(name.removesuffix("/__init__.py").removesuffix(".py").replace("/", "."))
    application = application_here(module.schedules)
    assert application.source == file.resolve()
    assert application.stamp == stamp_of(file)
    again = found_again(application)
    assert (again.name, again.run_digests, again.source) == ("shop", application.run_digests, application.source)


def test_of_several_modules_it_is_the_one_of_the_functions(write: Write) -> None:
    write("whereabouts_shop/definitions.py", SHOP)
    write("whereabouts_shop/app.py", "from whereabouts_shop.definitions import schedules as known\n")
    module = import_module("whereabouts_shop.app")
    assert application_here(module.known).spec.endswith("/whereabouts_shop.definitions:schedules")


def test_where_functions_come_from_several_modules_it_is_the_one_that_imports_the_others(write: Write) -> None:
    write("whereabouts_shop/definitions.py", "from daemon import Schedules\nschedules = Schedules('shop')\n")
    for name in ("one", "two"):
        text = f"@schedules.every('1h', timeout='1m')\ndef {name}(run): ...\n"
        write(f"whereabouts_shop/{name}.py", f"from whereabouts_shop.definitions import schedules\n{text}")
    write("whereabouts_shop/bare.py", "import whereabouts_shop.one, whereabouts_shop.two\n")
    import_module("whereabouts_shop.bare")
    with pytest.raises(DefinitionError, match="no module that has a name for them imports all their functions"):
        application_here(import_module("whereabouts_shop.definitions").schedules)
    write("whereabouts_shop/app.py", "from whereabouts_shop.one import schedules\nimport whereabouts_shop.two\n")
    application = application_here(import_module("whereabouts_shop.app").schedules)
    assert application.spec.endswith("/whereabouts_shop.app:schedules")
    assert found_again(application).run_digests == application.run_digests


def as_main(monkeypatch: pytest.MonkeyPatch, file: Path, spec: ModuleSpec | None) -> ModuleType:
    """Run a file as the program that this process is."""
    main = ModuleType("__main__")
    main.__file__, main.__spec__ = str(file), spec
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(file.read_text(), file, "exec"), main.__dict__)  # noqa: S102 - as Python does
    return main


def test_a_program_is_found_by_its_file_and_its_functions_are_named_as_a_child_names_them(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = as_main(monkeypatch, write("whereabouts_shop.py", SHOP), None)
    application = application_here(main.schedules)
    assert application.spec == f"{application.source}:schedules"
    assert application.schedules[0].jobs[0].canonical()["function"] == "whereabouts_shop:count"
    assert found_again(application).run_digests == application.run_digests


def test_a_module_that_is_run_as_a_program_is_found_by_its_name(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("whereabouts_shop.app", None)
    main = as_main(monkeypatch, write("whereabouts_shop/app.py", SHOP), spec)
    application = application_here(main.schedules)
    assert application.spec.endswith("/whereabouts_shop.app:schedules")
    assert found_again(application).run_digests == application.run_digests


async def asynchronous(run: object) -> None: ...


def test_without_a_module_tasks_and_commands_need_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    schedules = [Schedules("shop")]  # in no module under a name
    nightly = schedules[0].add("nightly", every="1h")
    nightly.job(asynchronous)
    nightly.command("orders", "true")
    assert application_here(schedules[0]).source.parent == tmp_path


def test_without_a_module_a_function_in_a_child_is_refused() -> None:
    schedules = Schedules("shop")
    schedules.every("1h", isolation="process")(asynchronous)
    with pytest.raises(DefinitionError, match="no module has a name for them; assign them at the top of a module"):
        application_here(schedules)
