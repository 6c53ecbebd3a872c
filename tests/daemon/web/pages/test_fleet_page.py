"""The pages of the fleet and of the activity, as a browser asks for them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

import lease.statements
from daemon.store.tables import act, replica
from tests.daemon.store.test_views import Rows, rows_in
from tests.daemon.web.pages.frames import Open, leafed, read, served_pages
from tests.support.asgi import asked

pytestmark = pytest.mark.anyio


def acts(rows: Rows, *given: tuple[str, float, dict[str, Any]]) -> None:
    """Record acts of ann: the kind, so many seconds ago, and more."""
    for kind, seconds, values in given:
        row = {"act": kind, "acted_at": rows.now - timedelta(seconds=seconds), "acted_by": "ann@web-1"}
        rows.connection.execute(insert(act).values(**row, **{"application": "shop", **values}))


async def test_the_fleet_says_who_is_alive_what_they_run_and_who_holds_what(
    made: dict[str, int], opened: Open, database_url: str
) -> None:
    with rows_in(database_url) as rows:
        lease.statements.grant(rows.connection, ["ledger"], "console", 3600, label="admin@ops:1")
        rows.replica("replica-3", host="web-3", pid=33, seen_at=rows.now - timedelta(seconds=30))
        rows.replica("replica-4", host="web-4", pid=44, release="1.4", blocked="no room for FILE")
        rows.connection.execute(update(replica).where(replica.c.host == "web-2").values(concurrency=4))
    page = await opened("/fleet")
    shown = read(page)
    assert "3 replicas are alive; web-3:33 is silent" in shown
    assert "web-1:11 died 16 min ago" in shown
    assert f"web-2:22 shop ready 1 of 4 {made['crashed']} daily-full-sync" in shown
    (places,) = re.findall(r'<svg class="slots".*?</svg>', page.body.decode())
    assert (places.count("<rect"), places.count('<rect class="y"')) == (4, 1)
    assert "web-3:33 shop silent not seen for 3" in shown
    assert "web-4:44 shop blocked no room for FILE" in shown
    assert f"daily-full-sync schedule run {made['crashed']} on" in shown
    assert "ledger admin@ops:1 not a run 1" in shown
    found = read(await opened("/fleet?lock=led"))
    assert ("ledger" in found, "schedule run" in found) == (True, False)


@pytest.mark.usefixtures("made")
async def test_where_a_replica_has_not_said_how_many_runs_it_takes_they_are_counted(opened: Open) -> None:
    assert "web-2:22 shop ready 1 run " in read(await opened("/fleet"))


async def test_the_installation_is_checked_when_somebody_asks_even_if_the_database_is_away(opened: Open) -> None:
    assert 'href="/fleet/checks">Check the installation</a>' in (await opened("/fleet")).body.decode()
    page = await opened("/fleet/checks")
    assert "clock error <script>alert(1)</script> is ahead set it" in read(page)
    assert b"<script>alert" not in page.body
    with served_pages("sqlite:////there-is-no-such-folder/leased.db") as app:
        assert (await asked(app, "GET", "/fleet")).status == 503
        assert "clock error" in read(await asked(app, "GET", "/fleet/checks"))


async def test_locks_follow_each_other_page_by_page(
    opened: Open, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.web.pages.fleet.LOCKS", 2)
    with rows_in(database_url) as rows:
        lease.statements.grant(rows.connection, [f"lock {number}" for number in range(5)], "h", 3600)
    pages = [re.findall(r"lock \d(?= h not a run)", read(page)) async for page in leafed(opened, "/fleet")]
    assert pages == [["lock 0", "lock 1"], ["lock 2", "lock 3"], ["lock 4"]]


async def test_what_somebody_did_to_many_is_one_row(opened: Open, database_url: str, made: dict[str, int]) -> None:
    with rows_in(database_url) as rows:
        for name in ("daily-full-sync", "hourly", "reports"):
            acts(rows, ("pause", 100, {"schedule": name, "why": "maintenance"}))
        acts(rows, ("trigger", 60, {"schedule": "hourly", "run_id": made["failed"]}), ("take-over", 50, {}))
        acts(rows, *(("cancel", 20.0, {"schedule": "reports", "run_id": number}) for number in range(1, 8)))
    shown = read(await opened("/activity"))
    assert "cancelled 7 runs : run 7 of reports , run 6 of reports and 5 more shop no reason given" in shown
    assert "paused reports , hourly , daily-full-sync shop maintenance" in shown
    assert f"requested a run run {made['failed']} of hourly shop no reason given" in shown
    assert "took over shop" in shown
    only = read(await opened("/activity?action=pause&schedule=hourly&by=ann"))
    assert ("paused hourly shop maintenance" in only, "cancelled 7" in only) == (True, False)
    assert "No act matches" in read(await opened("/activity?by=bob"))


async def test_the_activity_goes_on_where_a_page_ends(
    opened: Open, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.web.pages.activity.ROWS", 2)
    with rows_in(database_url) as rows:
        acts(rows, *(("trigger", 100.0 - 10 * number, {"run_id": number}) for number in range(1, 6)))
    pages = [
        re.findall(r"(?<=requested a run run )\d", read(page)) async for page in leafed(opened, "/activity?by=ann")
    ]
    assert pages == [["5", "4"], ["3", "2"], ["1"]]
