"""The lines that install leased: they ask for what `pyproject.toml` has, and what they install does what the page shows next."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.docs.pages import PAGES, ROOT, blocks
from tests.support.programs import ran
from tests.support.waiting import LIMIT

README, FIRST_SCHEDULE, FIRST_LOCK = (
    ROOT / name for name in ("README.md", "docs/tutorials/first-schedule.md", "docs/tutorials/first-lock.md")
)
INSTALL = {page: blocks(page, "sh")[0] for page in (README, FIRST_SCHEDULE, FIRST_LOCK)}
ASKED = re.compile(r"pip install ((?:'[^'\n]*'|[\w.\[\]-]+)(?: [\w.\[\]-]+)*)")
OUR_OWN = re.compile(r"\.(?=$|\[)|leased\b")
LONG = 10 * LIMIT
"""Seconds for packages to be fetched."""
NO_INDEX = re.compile("No matching distribution|Failed to establish|Temporary failure|Could not fetch URL")


def lines(block: str) -> list[str]:
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def test_the_pages_install_in_the_same_way() -> None:
    *environment, all_of_it = lines(INSTALL[README])
    assert lines(INSTALL[FIRST_SCHEDULE]) == [*environment, all_of_it]
    *same, library = lines(INSTALL[FIRST_LOCK])
    assert (same, library) == (environment, "pip install .")
    assert f"for the lock library alone: {library}" in INSTALL[README]


def test_each_requirement_that_is_shown_is_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {found.strip("'") for page in PAGES for found in ASKED.findall(page.read_text())}
    own = [one for one in asked if OUR_OWN.match(one)]
    assert {"leased[daemon] @ git+URL", "leased @ git+https://example.com/leased.git", ".[daemon]", "."} <= {*own}
    for one in own:
        requirement = Requirement(OUR_OWN.sub(project["name"], one, count=1))
        assert requirement.name == project["name"]
        assert requirement.extras <= set(project["optional-dependencies"])
        assert requirement.url is None or requirement.url.startswith("git+")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What is committed or is about to be, in a folder of its own."""
    listed = ran(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    if listed.returncode != 0:
        pytest.skip("the files of the project are listed by git: install it, and run this in a clone")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


def is_the_python_of_the_pages() -> bool:
    code = "import ensurepip, sys; raise SystemExit(sys.version_info < (3, 11))"
    found = shutil.which("python3")
    return found is not None and subprocess.run([found, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.extended
@pytest.mark.usefixtures("processes")
@pytest.mark.skipif("not is_the_python_of_the_pages()", reason="the pages' lines need python3 3.11+ and python3-venv")
@pytest.mark.parametrize(
    ("page", "language", "name", "use"),
    [
        (README, "toml", "shop.toml", "leased check shop.toml | head -1"),
        (FIRST_LOCK, "python", "report.py", "python report.py first"),
    ],
    ids=["the command", "the lock library alone"],
)
def test_what_a_page_installs_does_what_it_shows_next(
    page: Path, language: str, name: str, use: str, clone: Path
) -> None:
    (clone / name).write_text(blocks(page, language)[0])
    ours = ("LEASED_", "VIRTUAL_ENV", "PYTHON")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    done = ran(["/bin/sh", "-ec", f"{INSTALL[page]}\n{use}"], clone, environment, limit=LONG)
    if done.returncode != 0 and NO_INDEX.search(done.stderr):
        pytest.skip("pip cannot fetch what leased needs: let it reach a package index")
    assert done.returncode == 0, done.stderr
    (came,) = (
        block.partition(f"$ {use}\n")[2].partition("$ ")[0]
        for block in blocks(page, "console")
        if f"$ {use}\n" in block
    )
    assert done.stdout.endswith(came)
