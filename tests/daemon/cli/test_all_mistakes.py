"""A file with several mistakes: a command names all of them at once, and a program the first."""

import json
import sys
from pathlib import Path

import pytest

from daemon import Schedules
from daemon.definitions.sources.load import load
from daemon.errors import DefinitionError

from .conftest import Leased

IN_TOML = """\
application = "shop"
revison = 3
[settings]
grace = "soon"
concurency = 3
[defaults]
retires = 3
[calendars.holidays]
dates = ["12-45"]
[schedules.nightly]
cron = "0 25 * * *"
timezone = "Europe/Berln"
exclude = "holidays"
jobs = [{ name = "sync", comand = "true", timeout = "x" }, { command = "true" }]
[schedules.good]
every = "1m"
jobs = [{ name = "ok", command = "true" }]
[schedules.empty]
every = "1m"
[schedules.misspelt]
crn = "* * * * *"
overlap = "maybe"
jobs = [{ call = "no_such_module:x", retries = -1 }]
"""
OF_TOML = [
    'revison: there is no such setting; did you mean "revision"?',
    'calendars.holidays: "12-45" is not a day',
    'defaults.retires: there is no such setting; did you mean "retries"?',
    'schedule "nightly", job "sync", comand: there is no such setting; did you mean "command"?',
    'schedule "nightly", job "sync", timeout: \'x\' is not a duration',
    'schedule "nightly", job "number 2": it has no name',
    'schedule "nightly", cron: "0 25 * * *": 25 is out of range',
    'schedule "nightly", timezone: there is no time zone "Europe/Berln"',
    'schedule "misspelt", job "number 1", call: there is no module "no_such_module"',
    'schedule "misspelt", job "number 1", retries: -1 is too small',
    'schedule "misspelt", crn: there is no such setting; did you mean "cron"?',
    'schedule "misspelt", overlap: "maybe" is not a choice',
    'schedule "empty": it has no job',
    "[settings] grace: 'soon' is not a duration",
    '[settings] concurency: there is no such setting; did you mean "concurrency"?',
]
IN_PYTHON = """\
from daemon import Schedules
schedules = Schedules("shop", calendars={"holidays": ["12-45"]})

@schedules.cron("0 25 * * *", timezone="Europe/Berln", retries=-1)
def nightly(run): ...

@schedules.cron
def bare(run): ...

pruned = schedules.add("pruned", every="1m", exclude="holidays")
@pruned.job(timeout="soon")
def prune(run): ...
pruned.command("vacuum", "")

schedules.add("empty", every="5m")
schedules.add("wrong", evry="5m").command("z", "true", retrys=3)

@schedules.every("1m")
def fine(run): ...
"""
OF_PYTHON = [
    ', line 2: calendars.holidays: "12-45" is not a day',
    ', line 4: schedule "nightly", job "nightly", retries: -1 is too small',
    ', line 4: schedule "nightly", cron: "0 25 * * *": 25 is out of range',
    ', line 4: schedule "nightly", timezone: there is no time zone "Europe/Berln"',
    ", line 7: the decorator .cron does not say when bare is due",
    ', line 11: schedule "pruned", job "prune", timeout: \'soon\' is not a duration',
    ', line 13: schedule "pruned", job "vacuum", command: the command is empty',
    ', line 16: schedule "wrong", evry: there is no such setting; did you mean "every"?',
    ', line 16: schedule "wrong", job "z", retrys: there is no such setting; did you mean "retries"?',
]


def the_same(lines: list[str], expected: list[str], before: str) -> None:
    """Each line begins as expected; none is missing, and none is too many."""
    assert [line[: len(before) + len(start)] for line, start in zip(lines, expected, strict=True)] == [
        before + start for start in expected
    ]


@pytest.mark.parametrize("command", ["run", "sync", "check"])
@pytest.mark.usefixtures("processes")
def test_all_mistakes_in_toml_are_named_at_once(leased: Leased, folder: Path, command: str) -> None:
    Path("many.toml").write_text(IN_TOML)
    answer = leased(command, "many.toml")
    assert answer.status == 2
    the_same(answer.err.splitlines(), OF_TOML, "leased: many.toml: ")
    assert sorted(path.name for path in folder.iterdir()) == ["many.toml", "shop.py"], "it has done nothing"


@pytest.mark.parametrize("last", ["", "boom\n"])
def test_all_mistakes_in_python_are_named_at_once_each_with_its_line(leased: Leased, folder: Path, last: str) -> None:
    """What a schedule lacks only at the end of FILE can't be known if FILE has no end."""
    Path("many.py").write_text(IN_PYTHON + last)
    answer = leased("sync", "many.py")
    assert answer.status == 2
    at_the_end = ", line 20: importing it failed with NameError: name 'boom'" if last else ': schedule "empty": it has'
    the_same(answer.err.splitlines(), [*OF_PYTHON, at_the_end], "leased: many.py")


def test_what_fails_only_because_it_is_run_once_more_is_no_mistake(leased: Leased, folder: Path) -> None:
    """As a metric does, or a table of an ORM, that is registered a second time."""
    once = "import sys\nassert not hasattr(sys, 'registered'), 'twice'\nsys.registered = True\n"
    Path("many.py").write_text(once + IN_PYTHON)
    try:
        answer = leased("sync", "many.py")
    finally:
        del sys.registered  # type: ignore[attr-defined]  # by the file
    assert (answer.status, "line 5" in answer.err, "twice" in answer.err) == (2, True, False)


def test_json_has_the_first_as_before_and_the_others_beside_it(leased: Leased, folder: Path) -> None:
    Path("many.toml").write_text(IN_TOML)
    error = json.loads(leased("sync", "many.toml", "--json").err)["error"]
    assert error["kind"] == "definition"
    the_same([error["message"], *error["more"]], OF_TOML, "many.toml: ")


def test_a_mistake_is_raised_at_once_where_a_program_defines_or_loads(folder: Path) -> None:
    """A file may go on without the schedule that it could not define."""
    with pytest.raises(DefinitionError, match="evry"):
        Schedules("shop").add("wrong", evry="5m")  # type: ignore[call-arg]  # as people misspell it
    Path("plugins.py").write_text(
        "from daemon import Schedules\nfrom daemon.errors import DefinitionError\nschedules = Schedules('shop')\n"
        "try:\n    schedules.add('wrong', every='soon')\nexcept DefinitionError:\n    pass\n"
        "schedules.add('right', every='1m').command('ok', 'true')\n"
    )
    assert [one.name for one in load("plugins.py", every_mistake=True).schedules] == ["right"]
    Path("many.py").write_text(IN_PYTHON)
    with pytest.raises(DefinitionError, match=r"line 2: calendars\.holidays") as caught:
        load("many.py")
    assert caught.value.more == ()


def test_a_file_that_is_run_once_more_prints_once(leased: Leased, folder: Path) -> None:
    Path("many.py").write_text(f"print('loaded')\n{IN_PYTHON}")
    Path("gone.py").write_text("print('loaded')\nimport no_such_module\n")
    for file in ("many.py", "gone.py"):
        answer = leased("sync", file)
        assert f"{answer.out}{answer.err}".count("loaded") == 1
