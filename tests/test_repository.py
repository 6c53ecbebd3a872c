"""What is true of the repository as a whole."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.proofs import PROOFS
from tests.support.programs import ran

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
HEADS = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    return {found["name"].lower(): found["version"] for found in HEADS.finditer(lock.read_text())}


def requirement_name(requirement: str) -> str:
    return re.split(r"[\[<>=;! ]", requirement, maxsplit=1)[0].lower()


def test_there_are_locks() -> None:
    assert [lock.stem for lock in LOCKS] == ["build", "dev", "peers", "postgres", "run"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_host_and_no_path(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert not re.search(r"(^|\s)(/|\./|file:)", text)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_each_pinned_version_has_hashes(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert blocks
    for block in blocks:
        assert HEADS.match(block), block
        assert "--hash=sha256:" in block, block


def test_the_locks_agree_with_each_other() -> None:
    together: dict[str, str] = {}
    for lock in LOCKS:
        for name, version in pins(lock).items():
            assert together.setdefault(name, version) == version, f"{name} in {lock.name}"


def test_every_requirement_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    library, groups = project["project"], dict(project["dependency-groups"])
    run = [*library["dependencies"], *library["optional-dependencies"]["daemon"], *groups.pop("examples")]
    wanted = {"run": run, **groups}
    for lock, requirements in wanted.items():
        locked = pins(ROOT / "requirements" / f"{lock}.lock")
        assert {requirement_name(requirement) for requirement in requirements} <= locked.keys(), lock


@pytest.mark.usefixtures("processes")
def test_no_committed_file_names_a_home_of_one_machine() -> None:
    listed = ran(["git", "ls-files", "-z"])
    if listed.returncode != 0:
        pytest.skip("not a git checkout, or no git: what is committed is not known")
    private = re.compile(r"(?<![\w.])/(home|Users|work|root)/\w")
    names = set(filter(None, listed.stdout.split("\0"))) - {"Dockerfile"}
    texts = {name: (ROOT / name).read_bytes().decode(errors="replace") for name in names if (ROOT / name).is_file()}
    assert [name for name, text in texts.items() if private.search(text)] == []


def test_a_proof_runs_what_is_there() -> None:
    for name, proof in PROOFS.items():
        for command in proof.commands:
            paths = [ROOT / word for word in command if word.startswith(("tests/", "tools/"))]
            paths += [ROOT / command[1].replace(".", "/")] if command[0] == "-m" and command[1] != "pytest" else []
            assert paths, name
            assert [path for path in paths if not (path.exists() or path.with_suffix(".py").exists())] == [], name


@pytest.mark.parametrize("tool", ["find-python", "install", "lock", "make-venv", "test-matrix"])
def test_a_tool_can_be_run(tool: str) -> None:
    assert os.access(ROOT / "tools" / tool, os.X_OK)


@pytest.mark.usefixtures("processes")
def test_an_interpreter_that_is_too_old_or_missing_gets_one_sentence(tmp_path: Path) -> None:
    made = ran([ROOT / "tools" / "make-venv", tmp_path / "venv", "no-such-python"])
    assert made.returncode == 1
    assert made.stderr.splitlines() == [
        "PYTHON=no-such-python is not a working Python 3.11 to 3.14: choose another, or leave PYTHON out."
    ]


@pytest.mark.usefixtures("processes")
def test_a_machine_that_cannot_make_environments_gets_the_name_of_the_package(tmp_path: Path) -> None:
    """Debian's python3 without python3-venv has the module venv and lacks ensurepip; nothing else is on this PATH."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for program in ("sh", "dirname", "mktemp", "rm", "head"):
        (bare / program).symlink_to(_which(program))
    python = bare / "python3"
    python.write_text(f'#!/bin/sh\ncase "$2" in *sys.executable*) echo {python} ;; *) exit 1 ;; esac\n')
    python.chmod(0o755)
    made = ran(["/bin/sh", ROOT / "tools" / "make-venv", tmp_path / "venv", python], environment={"PATH": str(bare)})
    assert made.returncode == 1
    assert made.stderr.splitlines() == [
        f"{python} cannot create virtual environments: install python3-venv (its name on Debian), virtualenv or uv."
    ]
    assert not (tmp_path / "venv").exists()


def _which(program: str) -> str:
    return subprocess.run(
        ["/bin/sh", "-c", f"command -v {program}"], capture_output=True, text=True, check=True
    ).stdout.strip()
