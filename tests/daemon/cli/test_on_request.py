"""What commands say of a schedule that is due on request only."""

from pathlib import Path

import pytest

from tests.daemon.cli.conftest import Leased

FILE = """
application = "shop"
[defaults]
catch_up = "all"
jitter = "1m"
[schedules.resize]
on_request = true
params = { picture = "" }
keep = { days = 9 }
jobs = [{ name = "work", command = "true", timeout = "1m" }]
"""


@pytest.fixture(autouse=True)
def synced(leased: Leased, folder: Path) -> None:
    assert leased("db", "upgrade").status == 0
    (folder / "resize.toml").write_text(FILE)
    assert leased("sync", "resize.toml").status == 0


@pytest.mark.usefixtures("one_load")
def test_check_shows_it_and_warns_of_nothing(leased: Leased) -> None:
    shown = leased("check", "resize.toml")
    assert [said.split() for said in shown.out.splitlines() if said.startswith("resize")] == [
        ["resize", "on", "request", "UTC", "work", "on", "request"]
    ]
    (item,) = leased("check", "resize.toml", "--json").document["items"]
    assert (item["timing"], item["next"], item["remarks"]) == ("on request", [], [])


def test_status_shows_it_and_nothing_is_late(leased: Leased) -> None:
    (row,) = [said for said in leased("status").out.splitlines() if said.startswith("resize")]
    assert row.split()[:5] == ["resize", "on", "request", "on", "request"]
    (item,) = leased("status", "--json").document["items"]
    assert (item["timing"], item["next_due"], item["success_by"]) == ("on request", None, None)


def test_a_pause_says_that_it_skips_nothing(leased: Leased) -> None:
    said = "resize (shop) is paused, but it runs only on request, so nothing is skipped: requested runs continue"
    assert leased("pause", "resize", "--until", "2h", "--by", "ann").lines == [said]
    assert leased("status", "--json").document["items"][0]["paused_by"] == "ann"
    assert leased("resume", "resize").lines == [
        "resize (shop) is resumed: no scheduled time passed while it was paused; it runs only on request"
    ]
    assert leased("resume", "resize").out.endswith("so nothing changed; it runs only on request\n")
    assert leased("pause", "resize", "--json").document["items"][0]["timing"] == "on request"
