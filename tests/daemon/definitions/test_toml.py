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
        (HEAD + "every = 61", "Cannot overwrite a value (at line 4, column 11, the end of the file)"),
        (HEAD + JOBS + "max_retries = 3", 'n", max_retries: there is no such setting; did you mean "retries"?'),
        (HEAD + 'jobs = [{ name = "a", call = "toml_shop_sync" }]', 'call: "toml_shop_sync" does not name a function'),
        (
            HEAD + 'jobs = [{ name = "a", call = "toml_shop_sync:custmers" }]',
            ': schedule "n", job "a", call: "toml_shop_sync" has no "custmers"; did you mean "customers"?',
        ),
        (HEAD + 'jobs = [{ name = "a", call = "toml_shop_sync:number" }]', "is 7, not a function"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence_with_its_place(folder: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(folder, text)


def test_a_file_that_is_not_utf_8_is_told(folder: Path) -> None:
    path = folder / "shop.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="the file is not UTF-8; save it as UTF-8"):
        load(str(path))
