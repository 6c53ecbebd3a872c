"""The hash of code: what a release is called to which nobody has given a name."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from daemon.definitions.sources.load import load
from daemon.definitions.sources.schedule_set import hash_of_code

FILE = """
import json
from daemon import Schedules
import of_the_hash.helper

schedules = Schedules("shop")

@schedules.cron("0 2 * * *")
def nightly(run):
    of_the_hash.helper.work()
"""
HELPER = "def work():\n    return 1\n"
FIXED = "def work():\n    return 2\n"


@pytest.fixture
def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a project to a folder, and return the hash of its code as a fresh process would have it."""

    def write_and_load(
        folder: str = "a", file: str = FILE, helper: str = HELPER, kept: bool = False, packages: str = "."
    ) -> str:
        root = tmp_path / folder
        package = root / packages / "of_the_hash"
        if not kept:
            shutil.rmtree(root, ignore_errors=True)
            package.mkdir(parents=True)
            (package / "__init__.py").touch()
            (package / "helper.py").write_text(helper)
            (root / "hashed.py").write_text(file)
        monkeypatch.setattr(sys, "path", [str(root / packages), *sys.path])
        for name in [name for name in sys.modules if name.partition(".")[0] in ("of_the_hash", "hashed")]:
            monkeypatch.delitem(sys.modules, name)
        return hash_of_code(load(root / "hashed.py"))

    return write_and_load


def test_it_is_the_same_on_every_host_and_whenever_the_files_were_written(
    hashed: Callable[..., str], tmp_path: Path
) -> None:
    first = hashed("a")
    assert first.startswith("sha256:")
    assert len(first) == len("sha256:") + 12
    assert hashed("b/elsewhere") == first
    for file in (tmp_path / "a").rglob("*.py"):
        os.utime(file, (1, 1))
    assert hashed("a", kept=True) == first


def test_a_fix_in_a_function_or_in_a_module_that_file_imports_is_another_release(hashed: Callable[..., str]) -> None:
    releases = [hashed(), hashed(helper=FIXED), hashed(file=FILE.replace("work()", "work() + 1"))]
    assert len(set(releases)) == 3
    assert hashed() == releases[0], "and the former again is the former"


def test_a_module_that_is_there_and_is_not_imported_is_no_part_of_it(
    hashed: Callable[..., str], tmp_path: Path
) -> None:
    first = hashed()
    (tmp_path / "a" / "of_the_hash" / "other.py").write_text("x = 1")
    assert hashed(kept=True) == first


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
def test_what_the_interpreter_of_a_host_imports_by_itself_is_no_part_of_it(
    hashed: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    first = hashed()
    (tmp_path / f"{name}.py").write_text("host = 'web1'")
    module = ModuleType(name)
    module.__file__ = str(tmp_path / f"{name}.py")
    monkeypatch.setitem(sys.modules, name, module)
    assert hashed() == first


def test_installed_packages_are_no_part_of_it(hashed: Callable[..., str]) -> None:
    installed = "lib/python3/site-packages"
    assert hashed(packages=installed) == hashed(packages=installed, helper=FIXED)


def test_but_the_package_of_a_job_is_wherever_it_is_installed(hashed: Callable[..., str]) -> None:
    """As in an image, whose build installs the project itself."""
    file = FILE + "schedules.add('other', every='1h').job()(of_the_hash.helper.work)\n"
    helper, fixed = (text.replace("work()", "work(run)") for text in (HELPER, FIXED))
    installed = "lib/python3/site-packages"
    first = hashed(packages=installed, file=file, helper=helper)
    assert hashed(packages=installed, file=file, helper=fixed) != first
