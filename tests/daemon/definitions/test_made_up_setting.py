"""A setting that is declared in one place is found in all: a copy of the product gets three that
nobody has heard of."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon import Schedules
from tests.mutants.copies import copy_product
from tests.support.waiting import LIMIT

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
    done = run(copy, "-m", "tools.reference")
    assert (done.returncode, done.stderr) == (0, "")
    return copy


def run(product: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LEASED_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=product,
        env={**inherited, "PYTHONPATH": str(product), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


def leased(product: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(product, "-m", "leased", *arguments, **variables)


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
    done = run(product, "-c", program, file)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def refusal(product: Path, name: str, text: str) -> str:
    (product / name).write_text(text)
    done = leased(product, "check", name)
    assert done.returncode == 2
    return done.stderr.strip()


@pytest.mark.parametrize(("file", "name"), [("shop.toml", "nightly"), ("shop.py", "nightly"), ("shop.py", "decorated")])
@pytest.mark.sampled(1)
def test_it_is_taken_in_toml_and_in_python(product: Path, file: str, name: str) -> None:
    found = loaded(product, file)[name]
    assert (found["patience"], found["niceness"]) == (300.0, 3)


def test_it_is_stored_where_it_is_set_and_read_back(product: Path) -> None:
    found = loaded(product, "shop.toml")["nightly"]
    assert found["stored"]["patience"] == 300.0
    assert found["stored"]["jobs"][0]["niceness"] == 3
    assert found["read back"] == 300.0


def test_it_leaves_the_stored_form_and_the_digest_of_what_does_not_set_it_as_they_are(product: Path) -> None:
    schedules = Schedules("shop")
    schedules.add("plain", every="1h").command("sync", "true")
    (without,) = schedules.application().schedules
    found = loaded(product, "shop.toml")["plain"]
    assert found["stored"] == without.canonical()
    assert found["digest"] == without.digest
    assert found["read back"] == found["patience"] == 60.0


def test_it_is_in_the_json_schema(product: Path) -> None:
    document = json.loads(leased(product, "schema").stdout)["properties"]
    schedule = document["schedules"]["additionalProperties"]["properties"]
    assert (schedule["patience"]["default"], schedule["patience"]["anyOf"][1]["minimum"]) == (60.0, 2.0)
    assert schedule["patience"]["description"] == "How long it waits for the moon."
    niceness = schedule["jobs"]["items"]["properties"]["niceness"]
    assert (niceness["minimum"], niceness["maximum"], niceness["default"]) == (0, 19, 0)
    assert document["settings"]["properties"]["shelf"]["enum"] == ["top", "bottom"]


def test_it_has_a_row_in_the_reference(product: Path) -> None:
    schedules = (product / "docs/reference/schedules.md").read_text()
    assert "| `patience` | a duration of 2 s or more | `1m` | How long it waits for the moon. |\n" in schedules
    assert "| `niceness` | a whole number from 0 to 19 | `0` | How much it lets others go first. |\n" in schedules
    assert (
        "| `shelf` | `LEASED_SHELF` | `--shelf` | `top`, `bottom` | `top` | Where it keeps what it has done. |\n"
        in (product / "docs/reference/settings.md").read_text()
    )


def test_it_is_a_keyword_that_type_checkers_know(product: Path) -> None:
    keywords = (product / "daemon/definitions/sources/keywords.py").read_text()
    assert "    patience: Duration\n" in keywords
    assert "    niceness: int\n" in keywords


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "misspelt.toml",
            TOML.replace("patience", "patiance"),
            'schedule "nightly", patiance: there is no such setting; did you mean "patience"?',
        ),
        (
            "misspelt.py",
            IN_PYTHON.replace("patience=300, niceness", "patience=300, nicenes"),
            'misspelt.py, line 5: schedule "decorated", nicenes: there is no such setting; did you mean "niceness"?',
        ),
        ("short.toml", TOML.replace('"5m"', "1"), "patience: 1 is too short; write at least 2 seconds"),
        ("large.toml", TOML.replace("niceness = 3", "niceness = 20"), "niceness: 20 is too large; write 19 or less"),
        (
            "shelf.toml",
            TOML.replace("shelf", "shelv"),
            '[settings] shelv: there is no such setting; did you mean "shelf"?',
        ),
    ],
)
@pytest.mark.sampled(1)
def test_what_is_wrong_with_it_is_said_as_of_every_other(product: Path, name: str, text: str, said: str) -> None:
    assert said in refusal(product, name, text)


@pytest.mark.extended
def test_the_setting_of_the_command_is_a_flag_and_a_variable_too(product: Path) -> None:
    shown = " ".join(leased(product, "run", "--help").stdout.split())
    assert "--shelf top|bottom Where it keeps what it has done." in shown
    assert '--shelf: "middle" is not one of top, bottom' in leased(product, "run", "shop.toml", "--shelf=middle").stderr
    said = leased(product, "check", "shop.toml", LEASED_SHELF="middle").stderr
    assert 'LEASED_SHELF: "middle" is not one of top, bottom' in said
