"""Defaults: what a file says once for all its schedules and jobs, in TOML and in Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon import Schedules
from daemon.definitions.application import Application
from daemon.definitions.defaults import DefaultSettings
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


def python(**settings: Any) -> Schedules:
    return Schedules("shop", **settings)


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


def test_a_task_goes_without_what_only_a_child_has() -> None:
    schedules = Schedules("shop", cwd="/srv", env={"A": "1"}, timeout="1m")
    schedules.every(60)(task)
    schedules.every(60, name="child", isolation="process")(task)
    made = schedules.application()
    [of_task], [of_child] = made.schedule("task").jobs, made.schedule("child").jobs
    assert (of_task.env, of_task.cwd, of_task.timeout) == ({}, None, 60.0)
    assert (of_child.env, of_child.cwd) == ({"A": "1"}, "/srv")
    with pytest.raises(DefinitionError, match="env: a task runs inside the replica"):
        schedules.every(60, name="other", env={"B": "1"})(task)


def test_so_does_a_thread() -> None:
    def work(run: Any) -> None:
        """A job in a thread."""

    schedules = Schedules("shop", cwd="/srv", env={"A": "1"}, timeout="1m")
    schedules.every(60, isolation="thread")(work)
    job = schedules.application().schedule("work").jobs[0]
    assert (job.isolation, job.env, job.cwd, job.timeout) == ("thread", {}, None, 60.0)


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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[defaults]\ntimezon = "UTC"\n', 'defaults.timezon: there is no such setting; did you mean "timezone"?'),
        ('[defaults]\ntimezone = "Mars"\n', 'defaults.timezone: there is no time zone "Mars"; use an IANA name'),
        ('[defaults]\ntimeout = "soon"\n', "defaults.timeout: 'soon' is not a duration; write it like"),
        ("[defaults]\nretries = -1\n", "defaults.retries: -1 is too small; write 0 or more"),
        (
            '[defaults]\ncron = "@daily"\n',
            "defaults.cron: this setting cannot be a default for all schedules; write it in [schedules.N",
        ),
        (
            '[defaults]\nisolation = "task"\n',
            "defaults.isolation: this setting cannot be a default for all jobs; write it in jobs = [{",
        ),
        ("[defaults]\nenv = { A = 1 }\n", 'defaults.env: the value of "A" is not a string; put it in quotes'),
        ('defaults = "UTC"\n', "defaults: it is not a table; write [defaults]"),
        (
            'timezone = "UTC"\n',
            "timezone: this is a setting of schedules and jobs; write it under [defaults] to give it",
        ),
        ('[default]\ntimezone = "UTC"\n', 'default: there is no such setting; did you mean "defaults"?'),
    ],
)
def test_what_is_wrong_with_them_is_said_once_and_of_them(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        from_toml(tmp_path, HEAD + text + TAIL)
    assert str(caught.value).startswith(f"{tmp_path}/shop.toml: {sentence}")


@pytest.mark.parametrize(
    ("define", "sentence"),
    [
        (lambda: python(timezon="UTC"), 'timezon: there is no such setting; did you mean "timezone"?'),
        (lambda: python(revison=3), 'revison: there is no such setting; did you mean "revision"?'),
        (
            lambda: python(timezone="Berlin"),
            'timezone: there is no time zone "Berlin"; did you mean "Europe/',
        ),
        (lambda: python(cron="@daily"), "cron: this setting cannot be a default for all schedules; give it to .cron()"),
        (
            lambda: python(isolation="task"),
            "isolation: this setting cannot be a default for all jobs; give it to .job()",
        ),
    ],
)
def test_so_is_what_is_wrong_with_those_of_python(define: Callable[[], object], sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        define()
    assert str(caught.value).startswith(sentence)


def test_each_of_them_is_checked_as_the_setting_that_it_is_the_default_of() -> None:
    for name, info in DefaultSettings.settings().items():
        assert info.description, name
        assert info.get_default() is None, name
