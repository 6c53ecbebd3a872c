"""The pages of the documentation, and the programs in them."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tests.support.waiting import LIMIT

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    found = BLOCK.finditer(page.read_text())
    return [textwrap.dedent(block["text"]) for block in found if block["language"] == language]


def run_program(text: str, folder: Path, *words: str, after: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-W", "error", *words, "program.py", *after],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
