"""The JSON Schema of a TOML file knows what is taken, and underlines what is refused."""

import tomllib
from typing import Any

import pytest

from daemon.definitions.defaults import DefaultSettings
from daemon.definitions.schedule import Schedule
from daemon.definitions.sources.toml_file import FILE_KEYS, JOB_KEYS, json_schema, json_schema_of
from daemon.service.settings import Settings
from tests.data.definitions.stored_forms import FOLDER
from tests.support.json_schema import complaints

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
