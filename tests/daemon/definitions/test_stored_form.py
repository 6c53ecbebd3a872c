"""What is stored of a definition stays as it is, byte for byte: a database compares it with what the next version makes."""

import json
import sys
import tomllib
from collections.abc import Iterator

import pytest

from daemon.definitions.schedule import Schedule, read_schedule, read_timing, write_schedule
from daemon.definitions.sources.toml_file import FILE_KEYS, JOB_KEYS
from tests.data.definitions.stored_forms import FILES, FOLDER, golden, schedules_of, stored_form, written

GOLDEN = golden()
EACH = [pytest.param(file, name, id=f"{file}-{name}") for file in FILES for name in GOLDEN[file]]
CHANGED = (
    "every deployed schedule that is like this one would count as changed, and where its timing differs its planning "
    "begins anew; if that is meant: python -m tests.data.definitions golden"
)
UNUSED = "use it in tests/data/definitions/everything.toml, and then: python -m tests.data.definitions golden"


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("file", FILES)
def test_the_file_has_the_schedules_of_the_golden_one_in_their_order(file: str) -> None:
    assert list(schedules_of(file)) == list(GOLDEN[file])


@pytest.mark.parametrize(("file", "name"), EACH)
def test_what_is_stored_and_shown_of_a_schedule_is_what_it_was(file: str, name: str) -> None:
    now = stored_form(schedules_of(file)[name])
    assert written(now).split(", ") == written(GOLDEN[file][name]).split(", "), CHANGED


@pytest.mark.parametrize(("file", "name"), EACH)
def test_what_was_stored_is_read_back_as_the_same_but_for_its_jobs(file: str, name: str) -> None:
    stored = GOLDEN[file][name]["stored"]
    without_jobs = {**json.loads(stored), "jobs": []}
    assert written(json.loads(write_schedule(read_schedule(stored)))) == written(without_jobs)


@pytest.mark.parametrize(("file", "name"), EACH)
def test_the_timing_of_what_was_stored_is_found_the_same(file: str, name: str) -> None:
    assert read_timing(GOLDEN[file][name]["stored"]) == schedules_of(file)[name].timing(), CHANGED


def test_the_toml_file_uses_every_setting_that_there_is() -> None:
    document = tomllib.loads((FOLDER / "everything.toml").read_text(encoding="utf-8"))
    schedules = document["schedules"].values()
    jobs = [job for schedule in schedules for job in schedule["jobs"]]
    assert set(document) == set(FILE_KEYS)
    assert {setting for schedule in schedules for setting in schedule} == {*Schedule.settings(), "jobs"}, UNUSED
    assert {setting for job in jobs for setting in job} == set(JOB_KEYS), UNUSED
