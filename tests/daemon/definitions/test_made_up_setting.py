"""A setting that is declared in one place is found in all: a copy of the product gets three that
nobody has heard of. How a wrong value of any setting is refused says `test_refusals.py`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon import Schedules
from tests.mutants.copies import copy_product
from tests.support.programs import ran

PARTS = ("lease", "daemon", "tools", "docs", "leased.py")

OF_A_SCHEDULE = '''\
    patience: Annotated[float, duration(least=2.0)] = 60.0
    """How long it waits for the moon."""
'''
OF_A_JOB = '''\
    niceness: Annotated[int, Strict(), Field(ge=0, le=19)] = 0
    """How much it lets others go first."""
'''
OF_THE_COMMAND = '''\
    shelf: Literal["top", "bottom"] = "top"
    """Where it keeps what it has done."""
'''
DECLARATIONS = [
    ("daemon/definitions/schedule.py", "    tags: Strings = ()\n", OF_A_SCHEDULE),
    ("daemon/definitions/schedule.py", "    cwd: Annotated[Folder, Mark.DEFAULT] = None\n", OF_A_JOB),
    ("daemon/service/settings.py", "    grace: Seconds = 20.0\n", OF_THE_COMMAND),
]
"""The file, the line before which the field goes, and the field. Nothing else is changed."""

TOML = """
application = "shop"
settings = { shelf = "bottom" }
[schedules.nightly]
every = "1h"
patience = "5m"
jobs = [{ name = "sync", command = "true", niceness = 3 }]
[schedules.plain]
every = "1h"
jobs = [{ name = "sync", command = "true" }]
"""
IN_PYTHON = """
from daemon import Schedules
schedules = Schedules("shop")
schedules.add("nightly", every="1h", patience="5m").command("sync", "true", niceness=3)
@schedules.every("1h", patience=300, niceness=3)
def decorated(run): ...
"""

pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product in which three fields are declared, and `make docs` was called."""
    copy = copy_product(tmp_path_factory.mktemp("made-up") / "product", PARTS)
    for file, before, field in DECLARATIONS:
        text = (copy / file).read_text()
        assert text.count(before) == 1
        (copy / file).write_text(text.replace(before, f"{field}{before}"))
    (copy / "shop.toml").write_text(TOML)
    (copy / "shop.py").write_text(IN_PYTHON)
    assert run(copy, "-m", "tools.reference") == ("", "")
    return copy


def run(product: Path, *arguments: str, **variables: str) -> tuple[str, str]:
    """Return what a program of the copy writes to its output, and its errors."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LEASED_")}
    done = ran([sys.executable, *arguments], product, {**inherited, "PYTHONPATH": str(product), **variables})
    return done.stdout, done.stderr


def loaded(product: Path, file: str) -> dict[str, Any]:
    """Return what became of each schedule of a file: its values, its stored form, and what is
    read back of that."""
    program = """
import json, sys
from daemon.definitions.schedule import read_schedule, write_schedule
from daemon.definitions.sources.load import load
print(json.dumps({one.name: {
    "patience": one.patience, "niceness": one.jobs[0].niceness, "stored": json.loads(write_schedule(one)),
    "digest": one.digest, "read back": read_schedule(write_schedule(one)).patience,
} for one in load(sys.argv[1]).schedules}))
"""
    return dict(json.loads(run(product, "-c", program, file)[0]))


def test_it_is_taken_stored_where_it_is_set_and_read_back(product: Path) -> None:
    in_toml, in_python = (loaded(product, file) for file in ("shop.toml", "shop.py"))
    for found in (in_toml["nightly"], in_python["nightly"], in_python["decorated"]):
        assert (found["patience"], found["niceness"], found["read back"]) == (300.0, 3, 300.0)
        assert (found["stored"]["patience"], found["stored"]["jobs"][0]["niceness"]) == (300.0, 3)
    schedules = Schedules("shop")
    schedules.add("plain", every="1h").command("sync", "true")
    (without,) = schedules.application().schedules
    plain = in_toml["plain"]
    assert (plain["stored"], plain["digest"]) == (without.canonical(), without.digest)
    assert plain["read back"] == plain["patience"] == 60.0


def test_it_is_in_the_json_schema_the_reference_and_the_keywords(product: Path) -> None:
    document = json.loads(run(product, "-m", "leased", "schema")[0])["properties"]
    schedule = document["schedules"]["additionalProperties"]["properties"]
    assert (schedule["patience"]["default"], schedule["patience"]["anyOf"][1]["minimum"]) == (60.0, 2.0)
    assert schedule["patience"]["description"] == "How long it waits for the moon."
    niceness = schedule["jobs"]["items"]["properties"]["niceness"]
    assert (niceness["minimum"], niceness["maximum"], niceness["default"]) == (0, 19, 0)
    assert document["settings"]["properties"]["shelf"]["enum"] == ["top", "bottom"]
    for file, line in (
        ("docs/reference/schedules.md", "| `patience` | a duration of 2 s or more | `1m` | How long it waits for the "),
        (
            "docs/reference/schedules.md",
            "| `niceness` | a whole number from 0 to 19 | `0` | How much it lets others go",
        ),
        ("docs/reference/settings.md", "| `shelf` | `LEASED_SHELF` | `--shelf` | `top`, `bottom` | `top` | Where it "),
        ("daemon/definitions/sources/keywords.py", "    patience: Duration\n"),
        ("daemon/definitions/sources/keywords.py", "    niceness: int\n"),
    ):
        assert line in (product / file).read_text()


@pytest.mark.extended
def test_the_setting_of_the_command_is_a_flag_and_a_variable_too(product: Path) -> None:
    shown, _ = run(product, "-m", "leased", "run", "--help")
    assert "--shelf top|bottom Where it keeps what it has done." in " ".join(shown.split())
    _, said = run(product, "-m", "leased", "run", "shop.toml", "--shelf=middle")
    assert '--shelf: "middle" is not one of top, bottom' in said
    _, said = run(product, "-m", "leased", "check", "shop.toml", LEASED_SHELF="middle")
    assert 'LEASED_SHELF: "middle" is not one of top, bottom' in said
