"""`leased check` loads FILE twice, and refuses one that reads differently the second time (rule 22)."""

import os
import signal
from pathlib import Path

import pytest

from daemon.cli.commands.defining.second_load import difference, whole
from daemon.definitions.sources.load import load

from .conftest import ROOT, Leased

FILE = """
from daemon import Schedules
value = {value!r}
schedules = Schedules({application}, revision={revision})
nightly = schedules.add({name}, cron={cron}, tags={tags})
nightly.command("one", {command}, timeout="1m", env={env})
"""
DEFAULTS = {
    "application": '"shop"',
    "revision": "1",
    "name": '"nightly"',
    "cron": '"30 2 * * *"',
    "tags": "[]",
    "command": '"true"',
    "env": "{}",
}


def difference_of(folder: Path, values: tuple[object, object], **written: str) -> str | None:
    loaded = []
    for value in values:
        (folder / "differs.py").write_text(FILE.format(value=value, **{**DEFAULTS, **written}))
        loaded.append(whole(load(folder / "differs.py")))
    found = difference(loaded[0], loaded[1], "differs.py")
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("what", "values", "said"),
    [
        (
            "application",
            ("a", "b"),
            'differs.py: application: it reads "a" at one load and "b" at the next; a file must',
        ),
        ("revision", (7, 8), "differs.py: revision: it reads 7 at one load and 8 at the next"),
        ("name", ("a", "b"), 'differs.py: schedule "a": it is only in the first of two loads'),
        ("cron", ("1 * * * *", "2 * * * *"), 'differs.py: schedule "nightly", cron: it reads "1 * * * *" at one load'),
        ("tags", (["x", "y"], ["y", "x"]), 'schedule "nightly", tags: it reads ["x", "y"] at one load'),
        ("command", ("a", "b"), 'schedule "nightly", job "one", command: it reads "a" at one load and "b" at the next'),
    ],
)
def test_it_names_what_differs(folder: Path, what: str, values: tuple[object, object], said: str) -> None:
    assert said in (difference_of(folder, values, **{what: "value"}) or "")


def test_what_may_differ_from_host_to_host_is_no_difference(folder: Path) -> None:
    assert difference_of(folder, ("one", "two"), env='{"HOST": value}') is None


PAST = "from daemon import Schedules\n{above}\nschedules = Schedules('shop')\n{below}\n"
ADDED = "schedules.add('nightly', cron='0 2 * * *', tags={tags}).command('one', 'true', timeout='1m')"


@pytest.mark.usefixtures("processes")
def test_a_file_that_reads_differently_is_refused(leased: Leased, folder: Path) -> None:
    """By the order of a set, which is another one in each process."""
    tags = "list({chr(code) for code in range(97, 117)})"
    (folder / "s.py").write_text(PAST.format(above="", below=ADDED.format(tags=tags)))
    answer = leased("check", "s.py")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith('leased: s.py: schedule "nightly", tags: it reads ["')
    assert answer.err.count("\n") == 1


@pytest.mark.usefixtures("processes")
def test_what_a_file_prints_or_reads_is_no_matter(leased: Leased, folder: Path) -> None:
    above = "import sys\nprint('hello')\nsys.stderr.write('there')"
    (folder / "s.py").write_text(PAST.format(above=above, below=ADDED.format(tags="['a']")))
    assert leased("check", "s.py").status == 0


@pytest.mark.usefixtures("processes")
def test_a_file_that_ends_the_interpreter_the_second_time_is_refused(leased: Leased, folder: Path) -> None:
    above = "import os, sys\nif 'pytest' not in sys.modules:\n    os._exit(0)"
    (folder / "s.py").write_text(PAST.format(above=above, below=ADDED.format(tags="[]")))
    answer = leased("check", "s.py")
    assert answer.status == 2
    assert "loading it a second time exited the interpreter" in answer.err


BEGINS = """
import subprocess, sys
if any("second_load" in word for word in sys.orig_argv):
    print("hello", flush=True)
    with open("pid", "w") as file:
        file.write(str(subprocess.Popen(["sleep", "1000"]).pid))
"""


def test_what_an_interpreter_starts_as_it_begins_holds_up_nothing(process: Leased, folder: Path) -> None:
    """An agent that watches all programs, say: it has the stdout of the second load, and goes on."""
    (folder / "sitecustomize.py").write_text(BEGINS)
    (folder / "s.py").write_text(PAST.format(above="", below=ADDED.format(tags="[]")))
    try:
        answer = process("check", "s.py", PYTHONPATH=f"{folder}{os.pathsep}{ROOT}")
    finally:
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    assert (answer.status, answer.err) == (0, "")
