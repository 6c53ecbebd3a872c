"""Terminals in the documentation: each `console` block is played, and holds what really came.

    python -m tools.terminals

`make docs` runs it: it writes a block again if more has changed than times, process ids and the like. A test compares.
The blocks of a page are played in order, in one shell, in a folder that has each file which the page shows under its
name. A `leased run` that stays in the foreground has a terminal of its own. `kill -9 NUMBER` ends the process that was
named last. A job's `sleep` lasts for as long as there is a file `.hold`, so "in the middle of a job" does not depend on
the machine.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent
LIMIT = 60.0
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md"))]
NEW_FOLDER = "a new folder"
BEFORE = {
    "README.md": [
        ("leased run shop.toml --now report &>", "touch .hold"),
        ("leased run shop.toml &>", "test -e orders.txt"),
        ("kill", "grep -q ' as ' b.log"),
        ("leased show", "rm -f .hold; leased runs --json | grep -q succeeded"),
        ("leased check", NEW_FOLDER),
    ],
    "first-lock.md": [
        ("python report.py second", "grep -q holds first.log"),
        ("kill", "grep -q holds killed.log"),
    ],
    "first-schedule.md": [
        ("leased trigger", "touch .hold; test $(leased replicas --json | grep -o '\"running\"' | wc -l) = 2"),
        ("leased locks", "leased show 2 --json | grep -q greet"),
        ("leased show 2", "rm -f .hold; leased runs --limit 1 --json | grep -q succeeded"),
    ],
}
"""What must succeed before the first line of a page that begins with these words."""
BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`(?P<name>[\w.-]+\.(?:toml|py))`[^`\n]*:\n+```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# Everything in Python believes to be on this machine, and all that is recorded was done by this person.
END = "<end>"
HOST, USER, HOME = "web1", "ada", "/srv/shop"
ELSEWHERE = f"import socket\nsocket.gethostname = lambda: {HOST!r}\n"
SLEEP = """#!/bin/sh
while test -e {hold}; do {sleep} 0.05; done
exec {sleep} {seconds}
"""
VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?"), "INSTANT"),
    (re.compile(r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|today|tomorrow|yesterday) )?\d\d:\d\d(?::\d\d)?\b"), "INSTANT"),
    (re.compile(r"\b\d{1,2} [A-Z][a-z]{2,8}\b"), "DAY"),
    (re.compile(rf"\b{HOST}:\d+"), "HOLDER"),
    (re.compile(r"kill -9 \d+"), "kill -9 PID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"sha256:[0-9a-f]+"), "DIGEST"),
    (re.compile(r"\b\d+ MiB"), "MEMORY"),
    (re.compile(r"\b(?:\d+(?:\.\d+)?(?:ms|us|s|m|h|d) ?)+(?![\w/])"), "DURATION "),
    (re.compile(r"\b\d+\.\d+\b"), "DURATION"),
    (re.compile(r"\bin DURATION|DURATION +ago|\bnow\b"), "INSTANT"),
    (re.compile(r"─+"), "─"),
]


class Shell:
    """A shell in a folder, on a terminal, with the command `leased` of this environment."""

    def __init__(self, folder: Path, *, hurried: bool) -> None:
        self._folder = folder
        self._master, self._terminal = pty.openpty()
        self._said = b""
        own = folder / ".own"
        own.mkdir()
        (own / "sitecustomize.py").write_text(ELSEWHERE)
        seconds = "0.1" if hurried else '"$1"'
        (own / "sleep").write_text(SLEEP.format(hold=folder / ".hold", sleep=shutil.which("sleep"), seconds=seconds))
        (own / "sleep").chmod(0o755)
        outside = ("LEASED_", "COV_", "LINES")  # with LINES, a dumb terminal is as wide as COLUMNS says, otherwise 80
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],  # noqa: S607 - whichever there is
            cwd=folder,
            env={
                **inherited,
                "PATH": f"{own}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": f"{own}:{ROOT}",
                "LOGNAME": USER,
                "COLUMNS": "100",
                "TERM": "dumb",
                "TZ": "UTC",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            pass_fds=[self._terminal],
            start_new_session=True,
        )
        self._has_ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        self._run("set -m")  # so that it knows `%1`

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run("kill -INT $(jobs -p); kill -INT $(jobs -p); wait")
        finally:
            self._shell.kill()
            self._shell.communicate()
            os.close(self._terminal)

    def play(self, command: str) -> str:
        """Run a line as the page shows it, and return what came; it must succeed."""
        words = command.partition("#")[0].strip()
        if words.startswith("leased run ") and not words.endswith("&") and "--until-idle" not in words:
            command = f"{words} > /dev/null 2>&1 &"
        if words.startswith("leased run ") and "--until-idle" in words and "|" not in words:
            command = f"{words} | cat"  # its bars would move on a terminal; what remains of them is this
        if self._run(command) != 0:
            raise RuntimeError(f"{command}\n{self._text()}")
        lines = self._text().replace(str(self._folder), HOME).splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines if not re.match(r"bash: line|\[\d+\]", line))

    def wait_for(self, command: str) -> None:
        """Repeat a command until it succeeds."""
        deadline = time.monotonic() + LIMIT
        while self._run(command) != 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {LIMIT:g} s: {command}\n{self._text()}")
            time.sleep(0.05)

    def _run(self, command: str) -> int:
        assert self._shell.stdin is not None  # noqa: S101 - for mypy
        assert self._shell.stdout is not None  # noqa: S101
        self._said = b""
        self._has_ended.clear()
        there = self._terminal
        self._shell.stdin.write(f"{{ {command}\n}} >&{there} 2>&1 < /dev/null; echo $?; printf '{END}' >&{there}\n")
        self._shell.stdin.flush()
        guard = threading.Timer(LIMIT, self._shell.kill)
        guard.start()
        try:
            status = self._shell.stdout.readline()
        finally:
            guard.cancel()
        if not status or not self._has_ended.wait(LIMIT):
            raise TimeoutError(f"not ended after {LIMIT:g} s: {command}")
        return int(status)

    def _read(self) -> None:
        with suppress(OSError):  # the terminal is gone
            while some := os.read(self._master, 65_536):
                self._said += some
                if END.encode() in self._said:
                    self._has_ended.set()
        os.close(self._master)

    def _text(self) -> str:
        return self._said.decode().partition(END)[0].replace("\r", "")


def blocks(page: Path) -> list[str]:
    """Return the text of each block of a page."""
    return [found["text"] for found in BLOCK.finditer(page.read_text())]


def played(page: Path, *, hurried: bool = False) -> list[str]:
    """Play the blocks of a page and return them with what came; when hurried, no job sleeps for long."""
    before = list(BEFORE.get(page.name, []))
    came: list[str] = []
    with ExitStack() as stack:
        shell = stack.enter_context(_shell(page, hurried=hurried))
        for block in blocks(page):
            came.append("")
            for line in block.splitlines():
                if not line.startswith("$ "):
                    continue  # what came when it was written
                command = line.removeprefix("$ ")
                for words, condition in [pair for pair in before if command.startswith(pair[0])][:1]:
                    before.remove((words, condition))
                    if condition == NEW_FOLDER:
                        stack.close()
                        shell = stack.enter_context(_shell(page, hurried=hurried))
                    else:
                        shell.wait_for(condition)
                if seen := re.findall(rf"\b{HOST}:(\d+)", "".join(came)):
                    command = re.sub(r"^kill -9 \d+", f"kill -9 {seen[-1]}", command)
                came[-1] += f"$ {command}\n{shell.play(command)}"
    return came


@contextmanager
def _shell(page: Path, *, hurried: bool) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory() as folder:
        for file in FILE.finditer(page.read_text()):
            (Path(folder) / file["name"]).write_text(file["text"])
        with Shell(Path(folder), hurried=hurried) as shell:
            yield shell


def normalised(text: str) -> str:
    """Return the text of a block without what is different each time, such as where a cell of a table is wrapped."""
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return " ".join(text.split())


def rewrite(page: Path) -> None:
    """Write the blocks of a page again, if more has changed in one of them than what is different each time."""
    came = played(page)
    if [normalised(block) for block in came] != [normalised(block) for block in blocks(page)]:
        new = iter(came)
        page.write_text(BLOCK.sub(lambda _: f"```console\n{next(new)}```", page.read_text()))


if __name__ == "__main__":
    for page in PAGES:
        rewrite(page)
