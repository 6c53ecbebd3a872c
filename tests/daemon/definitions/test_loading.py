"""FILE: what may be given, and the sentences about what cannot be loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.definitions.sources.load import load
from daemon.errors import DefinitionError

PLAIN = """
from daemon import Schedules
schedules = Schedules("shop")

@schedules.every("1m")
def tick(run): ...
"""


@pytest.fixture
def folder(tmp_path: Path, own_modules: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(spec: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        load(spec)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_python_file_is_loaded(folder: Path) -> None:
    (folder / "plans.py").write_text(PLAIN)
    application = load("plans.py")
    assert (application.name, application.source) == ("shop", folder / "plans.py")
    assert application.schedules[0].canonical()["jobs"][0]["function"] == "plans:tick"


def test_a_file_that_was_edited_within_a_second_is_loaded_as_it_is_now(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python itself would take the compiled copy of the file before."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for name in ("shop", "bank"):
        (folder / "plans.py").write_text(PLAIN.replace("shop", name))
        os.utime("plans.py", (1_000_000, 1_000_000))
        assert load("plans.py").name == name


def test_it_finds_what_lies_beside_it_and_is_one_module_with_what_imports_it_back(folder: Path) -> None:
    (folder / "plans.py").write_text("from daemon import Schedules\nschedules = Schedules('shop')\nimport its_jobs\n")
    (folder / "its_jobs.py").write_text(
        "from plans import schedules\n@schedules.every('1m', name='beside')\ndef job(run): ...\n"
    )
    assert [schedule.name for schedule in load("plans.py").schedules] == ["beside"]


def test_a_changed_file_and_another_of_the_same_name_are_loaded_anew(folder: Path) -> None:
    (folder / "plans.py").write_text(PLAIN)
    assert load("plans.py").name == "shop"
    (folder / "plans.py").write_text(PLAIN.replace('"shop"', '"changed"'))
    assert load("plans.py").name == "changed"
    (folder / "other").mkdir()
    (folder / "other" / "plans.py").write_text(PLAIN.replace('"shop"', '"other"'))
    assert load("other/plans.py").name == "other"


@pytest.mark.parametrize("name", ["json.py", "daemon.py", "my-plans.py", "pytest.py"])
def test_a_name_that_is_taken_or_no_name_of_a_module_does_no_harm(folder: Path, name: str) -> None:
    (folder / name).write_text(PLAIN)
    before = {module: sys.modules[module] for module in ("json", "daemon", "pytest")}
    assert load(name).name == "shop"
    assert {module: sys.modules[module] for module in before} == before


def test_a_module_in_a_package_is_loaded(folder: Path) -> None:
    (folder / "store_one").mkdir()
    (folder / "store_one" / "__init__.py").touch()
    (folder / "store_one" / "plans.py").write_text("from . import helper\n" + PLAIN)
    (folder / "store_one" / "helper.py").touch()
    application = load("store_one.plans:schedules")
    assert application.source == folder / "store_one" / "plans.py"
    assert application.spec == f"{folder}/store_one.plans:schedules"
    assert 'name a file inside a package as "package.module:attribute"' in refusal("store_one/plans.py")


@pytest.mark.usefixtures("processes")
def test_a_child_finds_it_again_from_any_folder(folder: Path) -> None:
    (folder / "plans.py").write_text(PLAIN)
    (folder / "store_two").mkdir()
    (folder / "store_two" / "plans.py").write_text(PLAIN)
    specs = [load("plans.py").spec, load("plans.py:schedules").spec, load("store_two.plans:schedules").spec]
    code = "import sys; from daemon.definitions.sources.load import load; print(*(load(spec).name for spec in sys.argv[1:]))"
    root = Path(__file__).parents[3]
    command = [sys.executable, "-P", "-c", code, *specs]
    found = subprocess.run(command, cwd="/", env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["shop", "shop", "shop"]


def test_one_of_several_is_chosen_by_name(folder: Path) -> None:
    (folder / "two.py").write_text(
        PLAIN + "others = Schedules('others')\nothers.add('n', every=1).command('c', 'ls')\n"
    )
    assert load("two.py:others").name == "others"
    assert load("two.py:schedules").name == "shop"
    assert refusal("two.py") == "two.py: it contains several Schedules: schedules, others; name one: two.py:schedules"


def test_the_same_under_two_names_is_one(folder: Path) -> None:
    (folder / "plans.py").write_text(PLAIN + "app = schedules\n")
    assert load("plans.py").name == "shop"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("missing.py", "missing.py: there is no such file; check the path; this is /"),
        ("missing.toml", "missing.toml: there is no such file"),
        ("folder.py", "folder.py: this is not a file; give a .py or .toml file, or"),
        ("plans", 'plans: this does not say what to load; give a .py or .toml file, or "package.module:attribute"'),
        ("", "this does not say what to load"),
        ("plans.yaml", "this does not say what to load"),
        ("plans.py:nothing", 'plans.py:nothing: "plans" has no "nothing"; '),
        ("plans.py:tick", 'plans.py:tick: "tick" is not a Schedules; make one'),
        ("no_such_module:schedules", 'no_such_module:schedules: there is no module "no_such_module"; check its name'),
    ],
)
def test_what_is_not_there_is_told(folder: Path, spec: str, sentence: str) -> None:
    (folder / "folder.py").mkdir()
    (folder / "plans.py").write_text(PLAIN)
    assert sentence in refusal(spec)


def test_nothing_is_left_of_a_file_that_could_not_be_loaded(folder: Path) -> None:
    (folder / "bad.py").write_text("1/0")
    refusal("bad.py")
    assert "bad" not in sys.modules


def ended(folder: Path, text: str, *arguments: str, terminal: bool = True) -> str:
    """Return what a program writes to stderr, where that is a terminal."""
    (folder / "hello.py").write_text(text)
    reading, writing = os.openpty()
    with os.fdopen(reading, "rb", buffering=0) as screen:
        err = writing if terminal else subprocess.PIPE
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdin=subprocess.DEVNULL,
            stderr=err,
            check=False,
        )
        os.write(writing, b"|")
        os.close(writing)
        written = b""
        while not written.endswith(b"|"):
            written += screen.read(4096)
        return (written[:-1] + (done.stderr or b"")).decode()


@pytest.mark.extended
@pytest.mark.usefixtures("processes")
def test_python_of_a_file_that_only_defines_schedules_says_how_to_run_it(folder: Path) -> None:
    hint = "leased: this only defines schedules; run them with: leased run hello.py\r\n"
    assert ended(folder, PLAIN, "hello.py") == hint
    assert ended(folder, PLAIN, "-m", "hello") == hint


@pytest.mark.extended
@pytest.mark.usefixtures("processes")
def test_no_other_program_says_so(folder: Path) -> None:
    """One that fails, does something with them, imports them, has none, or has no terminal."""
    assert "leased run" not in ended(folder, f"{PLAIN}\nraise ValueError", "hello.py")
    assert ended(folder, f"{PLAIN}\nschedules.application()", "hello.py") == ""
    assert ended(folder, f"{PLAIN}\nimport hello; hello.schedules.application()", "hello.py") == "", "a second module"
    assert ended(folder, PLAIN, "-c", "import hello") == ""
    assert ended(folder, "from daemon import Schedules\nschedules = Schedules('shop')\n", "hello.py") == ""
    assert ended(folder, PLAIN, "hello.py", terminal=False) == ""
