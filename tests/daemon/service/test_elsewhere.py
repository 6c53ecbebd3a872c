"""What SIGHUP says when FILE and its settings lead to another database, schema or application."""

from pathlib import Path

import pytest
from sqlalchemy import update

from daemon.operations.trigger import trigger
from daemon.scheduling.deploys.bring import stage
from daemon.service.outside.check_main import what_it_means
from daemon.store import migrations
from daemon.store.tables import schedule
from lease.database.dialects import later, now
from tests.support.manual import a_shop
from tests.support.store import Store

SHOP = a_shop().application(Path("shop.py"))
NAME = SHOP.schedules[0].name


@pytest.fixture
def databases(tmp_path: Path) -> tuple[str, str]:
    """One with the shop, of which a run waits and a schedule is paused, and one without tables."""
    here, there = f"sqlite:///{tmp_path}/here.db", f"sqlite:///{tmp_path}/there.db"
    migrations.upgrade(here)
    with Store(here) as store:
        store.do(stage, SHOP, by="a test")
        store.do(trigger, "shop", NAME, requested_by="a test")
        store.do(lambda connection: connection.execute(update(schedule).values(paused_at=now())))
    return here, there


def test_nothing_is_said_where_nothing_moves(databases: tuple[str, str]) -> None:
    here, _ = databases
    assert what_it_means("shop", here, "shop", here.replace("/here.db", "/./here.db")) == []


def test_another_database_and_what_stays_in_the_former(databases: tuple[str, str]) -> None:
    here, there = databases
    change, left, due = what_it_means("shop", here, "shop", there)
    assert change == f"the database is now {there} instead of {here}"
    number = len(SHOP.schedules)
    assert left.startswith(
        f'what is left of "shop" in {here}: {number} schedule{"s" * (number > 1)} ({number} paused), 0 running and 1 waiting runs'
    )
    assert due.startswith(f'"shop" has no schedule in {there} yet: each starts now without missed runs')


def test_what_is_due_in_the_other_database(databases: tuple[str, str]) -> None:
    known, former = databases
    migrations.upgrade(former)
    with Store(known) as store:
        store.do(lambda connection: connection.execute(update(schedule).values(next_due=later(now(), -3600.0))))
    _, left, due = what_it_means("shop", former, "shop", known)
    assert left == f'nothing is left of "shop" in {former}'
    assert "of them have been due since 20" in due
    assert due.endswith(", and catch up")


def test_another_application_in_the_same_database(databases: tuple[str, str]) -> None:
    here, _ = databases
    change, left, due = what_it_means("shop", here, "till", here)
    assert change == 'FILE now defines the application "till" instead of "shop"'
    assert left.endswith("To end it, use `leased retire --application shop`.")
    assert due.startswith('"till" has no schedule in')


def test_a_former_database_that_is_away_holds_up_nothing(databases: tuple[str, str]) -> None:
    here, _ = databases
    away = "postgresql://shop:secret@127.0.0.1:1/shop"
    change, left, _ = what_it_means("shop", f"{away}?schema=own", "shop", here)
    assert left.startswith('what is left of "shop" in postgresql://shop:***@127.0.0.1:1/shop?schema=own is unknown: ')
    assert "secret" not in change + left
