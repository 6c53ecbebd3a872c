"""Definitions in TOML; what is wrong in them is in `test_refusals.py`."""

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
