"""The library where nothing is installed but what it needs itself, without the extra `daemon`."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import leased
from tests.support.programs import ran

ROOT = Path(__file__).parents[2]

HOLD = """
import asyncio
import lease
from sqlalchemy import create_engine, text

async def main():
    async with lease.LeaseClient(URL) as client, client.hold("a") as held:
        return held.token

with lease.sync.LeaseClient(URL) as client, client.hold("a") as held:
    with create_engine(URL).begin() as connection:
        held.fence(connection)
        connection.execute(text("CREATE TABLE written (token INTEGER)"))
    print(held.token, asyncio.run(main()) if held.release() else None)
"""


def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return read


def closure(requirements: list[str]) -> set[str]:
    """Return the names of all distributions that these requirements bring along."""
    found: set[tuple[str, str]] = set()
    due = [(Requirement(requirement), "") for requirement in requirements]
    while due:
        wanted, extra = due.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        for own in ("", *wanted.extras):
            if (canonicalize_name(wanted.name), own) not in found:
                found.add((canonicalize_name(wanted.name), own))
                due += [(Requirement(further), own) for further in metadata.requires(wanted.name) or ()]
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with this project and what its library needs, and nothing else."""
    site = tmp_path_factory.mktemp("site")
    for name in ("lease", "daemon", "leased.py"):
        (site / name).symlink_to(ROOT / name)
    for name in closure(project()["dependencies"]):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    return site


def run(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"
    return ran([sys.executable, "-I", "-S", "-c", program])


@pytest.mark.usefixtures("processes")
def test_a_lease_is_held_and_a_transaction_fenced_with_it(site: Path, tmp_path: Path) -> None:
    done = run(site, f"URL = 'sqlite:///{tmp_path}/leased.db'\n{HOLD}")
    assert (done.stdout, done.stderr, done.returncode) == ("1 2\n", "", 0)


@pytest.mark.usefixtures("processes")
def test_the_command_says_what_is_missing_and_how_to_install_it(site: Path) -> None:
    done = run(site, "sys.argv = ['leased', '--help']; import leased; sys.exit(leased.main())")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr == (
        "leased: the command needs packages that are not installed (alembic, croniter, jinja2, prometheus_client, pydantic, "
        "rich, standardwebhooks, starlette, structlog, typer, uvicorn): they come with the extra `daemon`, "
        "so run: pip install 'leased[daemon]' (in a clone of it: pip install '.[daemon]')\n"
    )


def test_what_the_command_asks_for_is_what_the_extra_installs() -> None:
    extra = [Requirement(requirement).name for requirement in project()["optional-dependencies"]["daemon"]]
    assert {*leased.PACKAGES, "tzdata"} == {re.sub("-", "_", name) for name in extra}
