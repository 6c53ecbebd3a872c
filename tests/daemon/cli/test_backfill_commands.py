"""`leased backfill`, and what is done to a backfill as a whole: what they say, and what they refuse."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.daemon.cli.conftest import Answer, Leased
from tests.daemon.cli.test_answers import valid

HOURLY = """
from daemon import Schedules

schedules = Schedules("office")
schedules.add("hourly", cron="0 * * * *", catch_up="skip").command("work", "true", timeout="1m")
"""
HOURS = 5
ANN = ("--by", "ann@web-1", "--why", "the shop was closed")


@pytest.fixture(autouse=True)
def away(leased: Leased, folder: Path) -> None:
    """Nothing was up for five hours, after which all is planned."""
    assert leased("db", "upgrade").status == 0
    (folder / "hourly.py").write_text(HOURLY)
    assert leased("sync", "hourly.py").status == 0
    names = ("planned_until", "next_due", "anchor", "created_at", "changed_at", "synced_at")
    earlier = ", ".join(f"{name} = {name} - {HOURS * 3600}" for name in names)
    with closing(sqlite3.connect("leased.db")) as connection:
        connection.execute(f"UPDATE schedule SET {earlier}")
        connection.commit()
    assert leased("resume", "hourly").status == 0


def hour(number: int) -> str:
    """Return an instant after nothing was up, the later the higher; another hour may have begun meanwhile."""
    with closing(sqlite3.connect("leased.db")) as connection:
        ((planned_since,),) = connection.execute("SELECT created_at FROM schedule").fetchall()
    begun = datetime.fromtimestamp(planned_since, UTC).replace(minute=0, second=0, microsecond=0)
    return f"{begun + timedelta(hours=number):%FT%TZ}"


def backfill(leased: Leased, *more: str, hours: int = 3) -> Answer:
    span = ("--from", hour(1), "--to", hour(hours))
    return leased("backfill", "hourly", *span, *more)


def test_it_says_how_many_will_run_and_where_that_is_seen(leased: Leased) -> None:
    assert backfill(leased, "--dry-run").lines == ["hourly (office): 3 scheduled times: 3 will run; nothing was done"]
    assert leased("backfills").out.startswith("There are no backfills")
    assert backfill(leased, "--yes", *ANN).out == (
        "hourly (office): 3 scheduled times: 3 will run; backfill 1 runs them after other runs, one at a time; "
        "see `leased backfills`\n"
    )
    assert "backfill 1 of hourly: 0 of 3 done, by ann@web-1" in leased("status").out
    (one,) = valid(leased("status", "--json"), "status")["backfills"]
    assert (one["backfill_id"], one["instants"], one["waiting"]) == (1, 3, 3)
    (listed,) = valid(leased("backfills", "--json"), "backfills")["items"]
    assert (listed["schedule"], listed["requested_why"]) == ("hourly", "the shop was closed")
    runs = [item for item in leased("runs", "--json").document["items"] if item["backfill"] is not None]
    assert {(item["cause"], item["backfill"], item["why_text"]) for item in runs} == {
        ("backfill", 1, "waits for its turn in backfill 1")
    }
    shown = leased("show", str(runs[0]["run_id"])).out
    assert "cause  backfill 1" in shown
    assert "9999" not in shown
    assert "backfill 1, " in leased("activity").out
    assert backfill(leased, "--yes", hours=2).lines == [
        "hourly (office): 2 scheduled times: 2 under way by backfill 1, 0 will run; there is nothing left to run; nothing was done"
    ]


def test_it_is_run_by_a_replica_until_nothing_is_left(process: Leased, leased: Leased) -> None:
    backfill(leased, "--yes", *ANN)
    ran = process("run", "hourly.py", "--until-idle", "--no-web")
    assert ran.status == 0, ran.err
    (one,) = leased("backfills", "--json").document["items"]
    assert (one["waiting"], one["running"], one["failed"]) == (0, 0, 0)
    assert "over" in leased("backfills").out
    assert leased("status", "--json").document["backfills"] == []
    assert leased("audit").status == 0
    assert "hourly (office): 3 scheduled times: 3 succeeded before, 0 will run" in backfill(leased, "--yes").out


def test_it_is_paused_resumed_and_cancelled_as_a_whole(leased: Leased) -> None:
    backfill(leased, "--yes", *ANN)
    named = "backfill 1 of hourly (office)"
    assert leased("pause", "--backfill", "1").out.startswith(f"{named} is paused: ")
    assert leased("pause", "--backfill", "1").lines == [f"{named} was already paused; nothing changed"]
    assert valid(leased("pause", "--backfill", "1", "--json"), "backfill-changed")["already"]
    assert "by ann@web-1, paused" in leased("status").out
    assert leased("resume", "--backfill", "1").out.startswith(f"{named} is resumed: ")
    assert leased("cancel", "--backfill", "1").lines == [f"{named} is cancelled: 3 waiting runs ended"]
    assert leased("cancel", "--backfill", "1").lines == [f"{named} was already cancelled; nothing changed"]
    assert "cancelled" in leased("backfills").out


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["backfill", "hourli", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z"], 1, '"hourly"'),
        (["backfill", "hourly", "--from", "yesteday", "--to", "2020-01-02T00:00:00Z"], 2, "--from: "),
        (["backfill", "hourly", "--from", "2020-01-02T00:00:00Z", "--to", "2020-01-01T00:00:00Z"], 2, "is after --to"),
        (
            ["backfill", "hourly", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z"],
            1,
            "earliest possible",
        ),
        (["pause", "--backfill", "9"], 1, "there is no backfill 9"),
        (["pause", "hourly", "--backfill", "9"], 2, "cannot be combined with --backfill"),
        (["cancel", "7", "--backfill", "9"], 2, "cannot be combined with --backfill"),
        (["resume", "--backfill", "x"], 2, "is not the number of a backfill"),
    ],
)
def test_what_is_wrong_is_refused_in_one_sentence(leased: Leased, arguments: list[str], status: int, says: str) -> None:
    leased(*arguments).is_one_sentence(status, says)


def test_nobody_who_could_be_asked_is_told_of_yes(leased: Leased) -> None:
    backfill(leased).is_one_sentence(2, "--yes confirms, --dry-run shows what would be done")
    assert leased("backfills", "--json").document["items"] == []
