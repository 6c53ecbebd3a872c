"""The settings that a supervisor hands over: those that were checked, and a password that may be newer (rule 22)."""

import json
from pathlib import Path

import pytest

from daemon.service.outside.file_check import as_plain, handed_over
from daemon.service.settings import Settings, SettingsError, read_settings

URL = "postgresql://shop:pw-1@db:5432/shop"


@pytest.fixture
def url_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    monkeypatch.setenv("LEASED_DATABASE_URL_FILE", str(file))
    return file


SECRET = "a-secret-of-20-chars"


def over_the_pipe(settings: Settings) -> Settings:
    return handed_over(json.loads(json.dumps(as_plain(settings))), 7)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"lease_ttl": "20s", "web": "0.0.0.0:0", "concurrency": "3", "database_url": URL, "schema": "own"},
        {
            "web": "off",
            "web_hosts": "a.example,b",
            "web_path": "/leased",
            "web_user_header": "X-User",
            "web_proxies": "10.0.0.7, 10.1.0.0/16",
            "job_output": "log",
            "revision": "12",
            "grace": "1m30s",
            "poll": "0.25s",
        },
    ],
)
def test_they_arrive_as_they_were_checked_secrets_included(
    flags: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASED_WEB_TOKEN", SECRET)
    monkeypatch.setenv("LEASED_WEB_READ_TOKEN", SECRET[::-1])
    checked = read_settings(flags)
    arrived = over_the_pipe(checked)
    assert as_plain(arrived) == as_plain(checked)
    assert (arrived.database, arrived.tokens, arrived.timing) == (
        checked.database,
        (SECRET, SECRET[::-1]),
        checked.timing,
    )
    assert (arrived.web is None) == (checked.web is None)
    assert str(arrived.web) == str(checked.web)


def test_a_password_that_has_been_rotated_is_taken(url_file: Path) -> None:
    checked = read_settings({"schema": "own"})
    url_file.write_text(URL.replace("pw-1", "pw-2"))
    assert "shop:pw-2@db:5432/shop?schema=own" in over_the_pipe(checked).database


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (URL.replace("@db", "@other"), "other:5432/shop"),
        (URL.replace("5432", "5433"), "db:5433/shop"),
        (URL.replace("5432/shop", "5432/till"), "db:5432/till"),
        (URL.replace("//shop", "//root"), "root:***@db|root@db"),
        (f"{URL}?schema=own", "schema=own"),
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
    ],
    ids=["host", "port", "database", "user", "schema", "kind"],
)
def test_any_other_change_of_the_url_waits_for_sighup(url_file: Path, now: str, shown: str) -> None:
    checked = read_settings()
    url_file.write_text(now)
    with pytest.raises(SettingsError) as refusal:
        over_the_pipe(checked)
    said = str(refusal.value)
    assert "has changed in more than its password since the supervisor checked it" in said
    assert said.endswith("send SIGHUP to the supervisor (process 7) to replace all replicas")
    assert any(part in said for part in shown.split("|"))
    assert "pw-1" not in said


def test_a_file_that_is_being_written_is_not_taken_for_another_database(url_file: Path) -> None:
    checked = read_settings()
    url_file.write_text("")
    with pytest.raises(SettingsError, match="is empty"):
        over_the_pipe(checked)


def test_the_file_that_a_flag_has_overruled_is_not_read(url_file: Path) -> None:
    checked = read_settings({"database_url": "sqlite:////srv/shop.db"})
    url_file.write_text("nothing of use")
    assert over_the_pipe(checked).database == "sqlite:////srv/shop.db"
