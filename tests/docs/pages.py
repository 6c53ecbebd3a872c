"""The pages of the documentation, and the programs in them."""

import configparser
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import ran
from tests.support.waiting import LIMIT

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    found = BLOCK.finditer(page.read_text())
    return [textwrap.dedent(block["text"]) for block in found if block["language"] == language]


def on_the_path(folder: Path, *programs: Path) -> dict[str, str]:
    """Return an environment that has `leased` and these folders of programs on its path, and none of its settings."""
    command = folder / "bin" / "leased"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f"#!{sys.executable} -P\nfrom leased import main\n\nraise SystemExit(main())\n")
    command.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LEASED_")}
    path = os.pathsep.join(map(str, (command.parent, *programs, os.environ["PATH"])))
    return {**inherited, "PATH": path, "PYTHONPATH": str(ROOT)}


def run_program(text: str, folder: Path, *words: str, after: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(text)
    return ran([sys.executable, "-W", "error", *words, "program.py", *after], folder)


@contextmanager
def started(words: Sequence[str], folder: Path, **environment: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A program of Python that ends with the block; yields it, and its log."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=output,
            stderr=output,
        )
    try:
        yield process, log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LIMIT)
        finally:
            process.kill()
            process.wait()
        sys.stderr.write(log.read_text())


def unit(text: str) -> configparser.ConfigParser:
    """Return a unit of systemd."""
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # as its manual says
    read.read_string(text)
    return read
