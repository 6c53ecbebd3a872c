"""An application of which several generations live, as the commands find it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.definitions.application import Application
from daemon.definitions.sources.load import load
from daemon.store import migrations
from daemon.store.tables import replica as replicas
from tests.support.store import Store

from ..conftest import Leased
from ..screens.worlds import start_replica

FILE = """
from daemon import Schedules
schedules = Schedules("shop")
schedules.add("{stays}", cron="30 2 1 1 *").command("work", "true", timeout="1m")
schedules.add("{name}", cron="{cron}").command("work", "true", timeout="1m")
"""
URL = "sqlite:///leased.db"
AN_HOUR = 3600.0
A_DAY = 86400.0


class Shop:
    """An application whose replicas are entries in the table, on hosts of their own."""

    def __init__(self, folder: Path) -> None:
        migrations.upgrade(URL)
        self.store = Store(URL)
        self.folder = folder
        self._pids = iter(range(101, 200))
        self.old = self.file("old", "goes")
        self.new = self.file("new", "comes")
        self.edited = self.file("edited", "goes", cron="0 4 1 1 *")
        """The old one with another timing: it retires nothing."""
        self.other = self.file("other", "pays", stays="bills")
        """Another team's, under the same name."""

    def file(self, name: str, schedule: str, cron: str = "0 3 1 1 *", stays: str = "stays") -> Application:
        (self.folder / f"{name}.py").write_text(FILE.format(stays=stays, name=schedule, cron=cron))
        return load(f"{name}.py")

    def start(self, application: Application, host: str) -> str:
        pid = next(self._pids)
        holder = f"h{pid}"
        start_replica(self.store, application, holder, host, pid)
        self.unseen_for(holder, -AN_HOUR)  # it counts as living however long the test takes
        return holder

    def unseen_for(self, holder: str, seconds: float) -> None:
        self.store.shift(replicas, replicas.c.holder == holder, seen_at=-seconds)


@pytest.fixture
def shop(folder: Path) -> Iterator[Shop]:
    made = Shop(folder)
    yield made
    made.store.engine.dispose()


def numbers(leased: Leased) -> list[int]:
    return [one["number"] for one in leased("generations", "--json").document["items"]]


def problems_of(leased: Leased) -> list[tuple[str, str]]:
    return [(one["kind"], one["text"]) for one in leased("status", "--json").document["problems"]]
