"""What is stored of a definition stays as it is, byte for byte: a database compares it with what the next version makes.
And it is read back by this release, by one that has more settings, and by one that has fewer.
"""

import json
import tomllib

import pytest

from daemon.definitions.schedule import Schedule, UnreadableDefinition, read_schedule, read_timing, write_schedule
from daemon.definitions.sources.toml_file import FILE_KEYS, JOB_KEYS
from tests.data.definitions.stored_forms import FILES, FOLDER, golden, schedules_of, stored_form, written

GOLDEN = golden()
EACH = [pytest.param(file, name, id=f"{file}-{name}") for file in FILES for name in GOLDEN[file]]
CHANGED = (
    "every deployed schedule that is like this one would count as changed, and where its timing differs its planning "
    "begins anew; if that is meant: python -m tests.data.definitions golden"
)
UNUSED = "use it in tests/data/definitions/everything.toml, and then: python -m tests.data.definitions golden"


pytestmark = pytest.mark.usefixtures("own_modules")


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


STORED = write_schedule(Schedule(name="nightly", cron="0 2 * * *", timezone="Europe/Berlin", tags=("a",)))


def changed(**values: object) -> str:
    return json.dumps({**json.loads(STORED), **values})


def test_what_is_written_is_read_back() -> None:
    assert write_schedule(read_schedule(STORED)) == STORED


def test_a_setting_that_only_a_later_release_has_is_left_out() -> None:
    assert write_schedule(read_schedule(changed(colour="red"))) == STORED


def test_a_setting_that_an_earlier_release_did_not_have_has_its_default() -> None:
    stored = {name: value for name, value in json.loads(STORED).items() if name != "tags"}
    assert read_schedule(json.dumps(stored)).tags == ()


@pytest.mark.parametrize(
    ("stored", "as_written_now"),
    [
        ("0 22-1 * * *", "0 22-23,0-1 * * *"),
        ("0 55-5,30 22-1 * * fri-mon", "0 55-59,0-5,30 22-23,0-1 * * 5-7,0-1"),
        ("0 9 * * sat-sun", "0 9 * * sat-sun"),
        ("@daily", "@daily"),
    ],
)
def test_a_range_over_the_end_of_its_field_that_the_first_release_stored_is_still_read(
    stored: str, as_written_now: str
) -> None:
    assert read_schedule(changed(cron=stored)).cron == as_written_now
    assert read_timing(changed(cron=stored)) == read_schedule(changed(cron=as_written_now)).timing()


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (changed(overlap="newest"), 'overlap: "newest" is not a choice'),
        (changed(timezone="Mars"), 'timezone: there is no time zone "Mars"'),
        (changed(every=60.0), "it has cron and every"),
        (changed(cron=None), "it does not say when it is due"),
        (changed(jitter="soon"), "jitter: 'soon' is not a duration"),
        (changed(name=None), "name: "),
        ("[]", "name: "),
        ("7", "not iterable"),
        ("{", "Expecting property name"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_reason(stored: str, said: str) -> None:
    with pytest.raises(UnreadableDefinition, match=r"^the stored definition cannot be read ") as caught:
        read_schedule(stored)
    assert said in str(caught.value)
    assert str(caught.value).endswith("; sync the file that defines it")


def test_the_timing_of_what_cannot_be_read_differs_from_every_other() -> None:
    nightly = read_schedule(STORED)
    assert read_timing(STORED) == read_timing(changed(overlap="newest")) == nightly.timing()
    assert read_timing(changed(timezone="Mars")) != nightly.timing()
    assert read_timing("{}") is read_timing("7") is read_timing("{") is None


def test_days_that_are_excluded_are_read_back_and_keep_a_release_that_does_not_know_them_from_planning() -> None:
    """It would leave `exclude` out, and run what is due on those days."""
    free = Schedule.model_validate({"name": "nightly", "cron": "0 2 * * *", "catch_up": "all", "exclude": ["12-25"]})
    assert read_schedule(write_schedule(free)) == free
    assert read_timing(write_schedule(free)) == free.timing()
    older = {name: value for name, value in json.loads(write_schedule(free)).items() if name != "exclude"}
    with pytest.raises(ValueError, match="catch_up"):
        Schedule.model_validate(older)
