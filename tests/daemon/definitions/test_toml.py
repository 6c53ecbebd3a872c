"""Definitions in TOML, and the JSON Schema of such a file, which underlines what is refused (see `test_refusals.py`)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from daemon.definitions.defaults import DefaultSettings
from daemon.definitions.schedule import Schedule
from daemon.definitions.sources.load import load
from daemon.definitions.sources.toml_file import FILE_KEYS, JOB_KEYS, json_schema, json_schema_of
from daemon.definitions.triggers.trigger import Cron, Every
from daemon.errors import DefinitionError
from daemon.service.settings import Settings
from tests.data.definitions.stored_forms import FOLDER
from tests.support.json_schema import complaints

SHOP = """
application = "shop"

[settings]
lease_ttl = "20s"

[schedules.daily-full-sync]
cron = "0 2 * * *"
timezone = "Europe/Berlin"
starts = 2026-01-01T00:00:00Z
params = { size = 10 }
jobs = [
  { name = "customers", call = "toml_shop_sync:customers", timeout = "40m", retries = 3 },
  { name = "orders", command = "python sync.py orders" },
  { call = "toml_shop_sync:Prices.load_all" },
]

[schedules.poll]
every = 90

[[schedules.poll.jobs]]
name = "poll"
command = ["curl", "https://example.org"]
env = { A = "1" }
"""
MODULE = """
async def customers(run): ...
class Prices:
    @staticmethod
    def load_all(run): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "toml_shop_sync.py").write_text(MODULE)
    return tmp_path


def write(folder: Path, text: str) -> str:
    path = folder / "shop.toml"
    path.write_text(text)
    return str(path)


def test_toml_says_the_same_as_python(folder: Path) -> None:
    application = load(write(folder, SHOP))
    assert (application.name, application.source) == ("shop", folder / "shop.toml")
    assert application.settings == {"lease_ttl": "20s"}
    sync, poll = application.schedules
    assert (sync.trigger, sync.timezone, sync.params) == (Cron("0 2 * * *"), "Europe/Berlin", {"size": 10})
    assert [(job.name, job.isolation) for job in sync.jobs] == [
        ("customers", "task"),
        ("orders", "command"),
        ("load-all", "process"),
    ]
    assert (sync.jobs[0].timeout, sync.jobs[0].retries) == (2400.0, 3)
    assert poll.trigger == Every(90.0)
    assert (poll.jobs[0].command, poll.jobs[0].env) == (("curl", "https://example.org"), {"A": "1"})


def test_it_is_found_again_from_any_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, SHOP)
    monkeypatch.chdir(folder)
    application = load("shop.toml")
    monkeypatch.chdir("/")
    assert load(application.spec) == application


def test_a_file_that_is_not_utf_8_is_told(folder: Path) -> None:
    path = folder / "shop.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="the file is not UTF-8; save it as UTF-8"):
        load(str(path))


DOCUMENT = json_schema(json_schema_of(Settings))
SCHEDULE: dict[str, Any] = DOCUMENT["properties"]["schedules"]["additionalProperties"]
HEAD = 'application = "shop"\n[schedules.n]\nevery = 60\n'
ON_REQUEST = HEAD.replace("every = 60\n", "")
JOB = 'jobs = [{ name = "a", command = "ls" }]\n'


def said_of(text: str) -> list[str]:
    return list(complaints(DOCUMENT, tomllib.loads(text), "file"))


def test_it_has_every_key_that_a_file_may_have() -> None:
    assert set(DOCUMENT["properties"]) == set(FILE_KEYS)
    assert set(DOCUMENT["properties"]["settings"]["properties"]) == set(Settings.model_fields)
    assert set(DOCUMENT["properties"]["defaults"]["properties"]) == set(DefaultSettings.settings())
    assert set(SCHEDULE["properties"]) == {*Schedule.settings(), "jobs"}
    assert set(SCHEDULE["properties"]["jobs"]["items"]["properties"]) == set(JOB_KEYS)


def test_it_tells_the_default_of_a_setting_and_what_it_means() -> None:
    assert SCHEDULE["properties"]["catch_up"]["default"] == "latest"
    assert "missed" in SCHEDULE["properties"]["catch_up"]["description"]
    assert "default" not in SCHEDULE["properties"]["lock"]
    settings = DOCUMENT["properties"]["settings"]["properties"]
    assert (settings["renew_every"]["default"], settings["web"]["default"]) == ("2.5s", "127.0.0.1:8520")


def test_it_takes_a_file_with_every_setting_in_every_spelling() -> None:
    assert said_of((FOLDER / "everything.toml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + JOB, []),
        (HEAD, ["file.schedules.n.jobs is missing"]),
        (HEAD + JOB + 'cron = "@daily"', ["file.schedules.n fits not oneOf"]),
        (HEAD + JOB + "on_request = false", []),
        (HEAD + JOB + "on_request = true", ["file.schedules.n fits not oneOf"]),
        (ON_REQUEST + "on_request = true\n" + JOB, []),
        (ON_REQUEST + "on_request = false\n" + JOB, ["file.schedules.n fits not oneOf"]),
        (ON_REQUEST + "on_request = 1\n" + JOB, ["file.schedules.n.on_request is no boolean"]),
        (HEAD + JOB + 'catchup = "all"', ["file.schedules.n.catchup is unknown"]),
        (HEAD + JOB + 'catch_up = "last"', ["file.schedules.n.catch_up is none of ['skip', 'latest', 'all']"]),
        (HEAD + JOB + 'jitter = "soon"', ["file.schedules.n.jitter fits not anyOf"]),
        (HEAD + JOB + "enabled = 0", ["file.schedules.n.enabled is no boolean"]),
        (HEAD + 'jobs = [{ command = "ls" }]', ["file.schedules.n.jobs[0] fits not oneOf"]),
        (HEAD + 'jobs = [{ call = "json" }]', ["file.schedules.n.jobs[0].call does not match"]),
        (HEAD + 'jobs = [{ call = "a:b", retries = -1 }]', ["file.schedules.n.jobs[0].retries is out of bounds"]),
        (
            'application = "shop"\n[schedules."a/b"]\nevery = 1\n' + JOB,
            ["the name file.schedules.a/b does not match"],
        ),
        (HEAD + JOB + '[defaults]\ntimezone = "UTC"\nenv = { A = "1" }\ntimeout = "1h"', []),
        (HEAD + JOB + "[defaults]\ntimezon = 1", ["file.defaults.timezon is unknown"]),
        (HEAD + JOB + "[defaults]\nretries = -1", ["file.defaults.retries is out of bounds"]),
        (HEAD + JOB + "[settings]\nlease_tl = 1", ["file.settings.lease_tl is unknown"]),
    ],
)
def test_it_underlines_what_would_be_refused(text: str, said: list[str]) -> None:
    assert said_of(text) == said
