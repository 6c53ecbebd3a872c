"""The page about renaming: its two files, one deployed after the other, do what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "schedules" / "rename-a-schedule.md"
BEFORE, AFTER = blocks(PAGE, "toml")
(DRY_RUN,) = blocks(PAGE, "sh")
WITHOUT_WAS = re.sub(r"^was.*\n", "", AFTER, flags=re.MULTILINE)


def leased(folder: Path, command_line: str) -> str:
    """Return what a command prints, without line breaks."""
    words = [sys.executable, "-m", "leased", *shlex.split(command_line.removeprefix("leased"))]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return " ".join(done.stdout.split())


@pytest.mark.usefixtures("processes")
def test_a_schedule_is_renamed(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(BEFORE)
    leased(tmp_path, "leased sync shop.toml")
    leased(tmp_path, "leased trigger night")
    leased(tmp_path, "leased pause night")
    file.write_text(WITHOUT_WAS)
    assert '"nightly-export" looks like "night" renamed' in leased(tmp_path, DRY_RUN)
    assert '"nightly-export" looks like "night" renamed' in leased(tmp_path, "leased check shop.toml")
    file.write_text(AFTER)
    assert "would be renamed: nightly-export (was night)" in leased(tmp_path, DRY_RUN)
    leased(tmp_path, "leased sync shop.toml")
    assert "1 nightly-export" in leased(tmp_path, "leased runs night")
    assert "paused by" in leased(tmp_path, "leased status")
    assert "run/shop/night" in leased(tmp_path, "leased locks --all")
    file.write_text(BEFORE)
    leased(tmp_path, "leased sync shop.toml")
    assert "1 night " in leased(tmp_path, "leased runs nightly-export")
