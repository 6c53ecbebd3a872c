"""Defaults: what a file says once for all its schedules and jobs, in TOML and in Python."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon import Schedules
from daemon.definitions.application import Application
from daemon.definitions.sources.load import load
from daemon.errors import DefinitionError

HEAD = 'application = "shop"\n'
TAIL = '[schedules.n]\ncron = "0 2 * * *"\njobs = [{ name = "a", command = "ls" }]\n'
DEFAULTS = """
[defaults]
timezone = "Europe/Berlin"
catch_up = "all"
timeout = "1h"
retries = 2
cwd = "/srv"
env = { LANG = "C", LEVEL = "1" }
"""


def from_toml(folder: Path, text: str) -> Application:
    path = folder / "shop.toml"
    path.write_text(text)
    return load(str(path))


def job(run: Any) -> None:
    """A job."""


async def task(run: Any) -> None:
    """A job that is a task."""


def test_a_schedule_and_its_jobs_have_what_they_do_not_say_themselves(tmp_path: Path) -> None:
    own = 'timezone = "UTC"\njobs = [{ name = "a", command = "ls", timeout = "2h", env = { LEVEL = "2" } }]\n'
    made = from_toml(tmp_path, f'{HEAD}{DEFAULTS}{TAIL}[schedules.own]\ncron = "0 2 * * *"\n{own}')
    taken, own_first = made.schedule("n"), made.schedule("own")
    assert (taken.timezone, taken.catch_up) == ("Europe/Berlin", "all")
    assert (taken.jobs[0].timeout, taken.jobs[0].retries, taken.jobs[0].cwd) == (3600.0, 2, "/srv")
    assert taken.jobs[0].env == {"LANG": "C", "LEVEL": "1"}
    assert (own_first.timezone, own_first.catch_up) == ("UTC", "all")
    assert own_first.jobs[0].timeout == 7200.0
    assert own_first.jobs[0].env == {"LANG": "C", "LEVEL": "2"}


def test_python_takes_the_same_and_means_the_same(tmp_path: Path) -> None:
    env = {"LANG": "C", "LEVEL": "1"}
    schedules = Schedules(
        "shop", timezone="Europe/Berlin", catch_up="all", timeout="1h", retries=2, cwd="/srv", env=env
    )
    schedules.add("n", cron="0 2 * * *").command("a", "ls")
    schedules.cron("0 3 * * *", name="own", timezone="UTC", timeout=5, env={"LEVEL": "2"})(job)
    made = schedules.application()
    assert made.schedule("n") == from_toml(tmp_path, HEAD + DEFAULTS + TAIL).schedule("n")
    assert made.schedule("own").timezone == "UTC"
    [own] = made.schedule("own").jobs
    assert (own.timeout, own.env) == (5.0, {"LANG": "C", "LEVEL": "2"})


def test_none_is_not_given() -> None:
    schedules = Schedules("shop", timezone="Europe/Berlin", retries=None)
    schedules.add("n", cron="0 2 * * *", start_within=None).command("a", "ls", timeout=None)
    assert schedules.application().schedule("n").timezone == "Europe/Berlin"
    assert schedules.application().schedule("n").jobs[0].retries == 0


def test_a_task_and_a_thread_go_without_what_only_a_child_has() -> None:
    schedules = Schedules("shop", cwd="/srv", env={"A": "1"}, timeout="1m")
    schedules.every(60)(task)
    schedules.every(60, name="thread", isolation="thread")(job)
    schedules.every(60, name="child", isolation="process")(task)
    found = [one for schedule in schedules.application().schedules for one in schedule.jobs]
    assert [(one.isolation, one.env, one.cwd, one.timeout) for one in found] == [
        ("task", {}, None, 60.0),
        ("thread", {}, None, 60.0),
        ("process", {"A": "1"}, "/srv", 60.0),
    ]
    with pytest.raises(DefinitionError, match="env: a task runs inside the replica"):
        schedules.every(60, name="other", env={"B": "1"})(task)


def test_definitions_that_mean_the_same_are_the_same_with_defaults_and_without(tmp_path: Path) -> None:
    written_out = TAIL.replace(
        "jobs = [{ ", f"{DEFAULTS.split('timeout', maxsplit=1)[0].split('[defaults]')[1]}jobs = [{{ "
    ).replace('"ls"', '"ls", timeout = 3600, retries = 2, cwd = "/srv", env = { LANG = "C", LEVEL = "1" }')
    one, other = from_toml(tmp_path, HEAD + DEFAULTS + TAIL), from_toml(tmp_path, HEAD + written_out)
    assert (one.digest, one.fingerprints({})) == (other.digest, other.fingerprints({}))
    assert one.schedule("n").digest == other.schedule("n").digest


def test_they_are_shown_without_the_values_of_variables(tmp_path: Path) -> None:
    shown = from_toml(tmp_path, HEAD + DEFAULTS + TAIL).defaults
    assert json.loads(json.dumps(shown)) == {
        "timezone": "Europe/Berlin",
        "catch_up": "all",
        "timeout": 3600.0,
        "retries": 2,
        "cwd": "/srv",
        "env": ["LANG", "LEVEL"],
    }
