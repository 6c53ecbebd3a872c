"""The pictures of the pages in the documentation, taken of the demo: `LEASED_TEST_SCREENS=write` keeps them."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browsing import Theme, opened, photograph
from tests.support.starter import ROOT
from tests.support.waiting import LIMIT, wait_until

IMAGES = ROOT / "docs" / "images"
RUN = "SELECT max(id) FROM run WHERE schedule = 'daily-full-sync'"
LONG = "SELECT max(id) FROM run WHERE schedule = 'warehouse-export'"
PICTURES: dict[str, tuple[str, str | None, Theme, int]] = {
    "page-overview-light": ("", None, "light", 1060),
    "page-overview-dark": ("", None, "dark", 1060),
    "page-timeline": ("timeline", None, "light", 720),
    "page-run": ("runs/{}", RUN, "light", 900),
    "page-cancel": ("runs/{}/cancel", LONG, "light", 560),
}
"""Where each is taken, of which run, in which theme, and its height."""
MOST_BYTES = 150_000


@pytest.fixture
def demo(processes: None, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The demo: its address and its database."""
    said = tmp_path / "said"
    with said.open("wb") as out:
        command = [sys.executable, "-m", "tools.demo", "--port", "0"]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        started = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        wait_until(
            lambda: "Open http" in said.read_text() or started.poll() is not None, "the demo is there", limit=4 * LIMIT
        )
        assert started.poll() is None, said.read_text()
        address = said.read_text().partition("Open ")[2].split()[0]
        (database,) = tmp_path.glob("leased-demo-*/demo.db")
        yield address, database
    finally:
        started.send_signal(signal.SIGINT)
        assert started.wait(4 * LIMIT) == 0
    assert list(tmp_path.glob("leased-demo-*")) == []


@pytest.mark.extended
def test_the_demo_shows_what_is_in_the_pictures_and_leaves_nothing(
    browser: Browser, demo: tuple[str, Path], tmp_path: Path
) -> None:
    address, file = demo
    folder = IMAGES if os.environ.get("LEASED_TEST_SCREENS") == "write" else tmp_path
    for name, (page, query, theme, height) in PICTURES.items():
        with closing(sqlite3.connect(file)) as database:
            path = page.format(database.execute(query).fetchone()[0]) if query else page
        with opened(browser, address + path, theme) as shown:
            shown.page.set_viewport_size({"width": 1280, "height": height})
            assert (path, shown.trouble()) == (path, [])
            if name != "page-cancel":
                shown.page.wait_for_selector(".live:not(.off)")
            photograph(shown.page, folder / f"{name}.png", whole=False)
            if (
                convert := shutil.which("convert")
            ) is not None:  # of ImageMagick: a picture with a palette is half as large
                subprocess.run([convert, f"{name}.png", "-colors", "255", f"PNG8:{name}.png"], cwd=folder, check=True)


def test_the_pictures_are_there_and_small() -> None:
    for name in PICTURES:
        assert 0 < (IMAGES / f"{name}.png").stat().st_size < MOST_BYTES, name
