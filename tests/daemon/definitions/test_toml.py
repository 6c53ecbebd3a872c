"""Definitions in TOML, and the sentences about what is wrong in them."""

from pathlib import Path

import pytest

from daemon.definitions.sources.load import load
from daemon.definitions.triggers.trigger import Cron, Every
from daemon.errors import DefinitionError

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
number = 7
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


def refusal(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(DefinitionError) as caught:
        load(path)
    sentence = str(caught.value)
    assert sentence.startswith(path)
    assert "\n" not in sentence
    return sentence.removeprefix(path)


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


HEAD = 'application = "shop"\n[schedules.n]\nevery = 60\n'
JOBS = 'jobs = [{ name = "a", command = "ls" }]\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("application = shop", ": invalid TOML: Invalid value (at line 1, column 15); fix the syntax there"),
        ("application = 'a'\n[schedules.x\n", "(at line 2, column 13)"),
        (HEAD + "every = 61", "Cannot overwrite a value (at line 4, column 11, the end of the file)"),
        ("", ": application: the file does not name its application; write application ="),
        ("application = 7", ": 7 is not the name of an application"),
        ('application = "shop"', ': the application "shop" has no schedule; add one'),
        (HEAD + JOBS + "[setings]", ': setings: there is no such setting; did you mean "settings"?'),
        ('application = "shop"\nschedules = 7', ": schedules: it is not a table"),
        ('application = "shop"\nschedules.n = 7', ': schedule "n": 7 is not a table; write [schedules.n]'),
        (
            HEAD + JOBS + 'catchup = "all"',
            ': schedule "n", catchup: there is no such setting; did you mean "catch_up"?',
        ),
        (HEAD + JOBS + 'timeout = "1m"', ': schedule "n", timeout: this is a setting of a job; write it in jobs'),
        (HEAD + JOBS + "max_retries = 3", 'n", max_retries: there is no such setting; did you mean "retries"?'),
        (HEAD + JOBS + 'overlap = "newest"', ': schedule "n", overlap: "newest" is not a choice; use "skip"'),
        (
            HEAD + JOBS + 'timezone = "Mars"',
            ': schedule "n", timezone: there is no time zone "Mars"; use an IANA name',
        ),
        (HEAD + JOBS + "starts = 2026-01-01T00:00:00", "has no time zone; add Z"),
        (HEAD + JOBS + "starts = 2026-01-01", "is not a time; write it like"),
        (HEAD + JOBS + "params = { day = 2026-01-01 }", "params: a value in it cannot be stored"),
        (HEAD, ': schedule "n": it has no job'),
        (HEAD + "jobs = 7", ': schedule "n", jobs: it is not a list of tables'),
        (HEAD + 'jobs = ["ls"]', "jobs: it is not a list of tables"),
        (HEAD + 'jobs = [{ name = "a" }]', ': schedule "n", job "a": it has nothing to run; set either call'),
        (HEAD + 'jobs = [{ name = "a", call = "x:y", command = "ls" }]', 'job "a": it has both call and command'),
        (HEAD + 'jobs = [{ command = "ls" }]', ': schedule "n", job "number 1": it has no name'),
        (HEAD + 'jobs = [{ name = 3, command = "ls" }]', "3 is not the name of a job"),
        (
            HEAD + 'jobs = [{ name = "a", command = "ls", retry = 1 }]',
            'job "a", retry: there is no such setting; did you mean',
        ),
        (
            HEAD + 'jobs = [{ name = "a", command = "ls" }, { name = "a", command = "ls" }]',
            'there are two jobs named "a"',
        ),
        (HEAD + 'jobs = [{ name = "a", call = "toml_shop_sync" }]', 'call: "toml_shop_sync" does not name a function'),
        (
            HEAD + 'jobs = [{ name = "a", call = "toml_shop_sync:custmers" }]',
            ': schedule "n", job "a", call: "toml_shop_sync" has no "custmers"; did you mean "customers"?',
        ),
        (HEAD + 'jobs = [{ name = "a", call = "toml_shop_sync:number" }]', "is 7, not a function"),
        (HEAD + 'jobs = [{ name = "a", call = "no.such:thing" }]', 'call: there is no module "no"; check its name'),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence_with_its_place(folder: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(folder, text)


def test_two_schedules_of_one_name_are_refused(folder: Path) -> None:
    assert "(at line 5, column 13)" in refusal(folder, HEAD + JOBS + "[schedules.n]\nevery = 61\n")


def test_a_file_that_is_not_utf_8_is_told(folder: Path) -> None:
    path = folder / "shop.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="the file is not UTF-8; save it as UTF-8"):
        load(str(path))
