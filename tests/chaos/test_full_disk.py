"""The disk is full for every writer, and has room again afterwards."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.chaos.faults.fault import Scene
from tests.chaos.faults.file import FillDisk
from tests.chaos.fleet import Fleet
from tests.chaos.site import SqliteSite


@pytest.mark.parametrize("log_pages", [0, 900])
@pytest.mark.usefixtures("processes")
def test_a_full_disk_is_felt_by_writers_and_has_room_again(tmp_path: Path, log_pages: int) -> None:
    with SqliteSite(tmp_path) as site, closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        if not site.mounted:
            pytest.skip("no file system can be mounted here: run the tests as root, where mount(8) is")
        for _ in range(log_pages):  # pages that the log has then, and that can be written without one more
            connection.execute("UPDATE account SET balance = balance + 1")
        scene = Scene(site, Fleet.__new__(Fleet))
        for _ in range(3):
            fault = FillDisk(scene, Random(1))
            assert fault.start()
            with pytest.raises(sqlite3.OperationalError, match="full"):
                connection.execute("UPDATE account SET balance = balance + 1")
            fault.stop()
            connection.execute("UPDATE account SET balance = balance + 1")
    assert not site.place.exists()
