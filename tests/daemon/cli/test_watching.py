"""`leased status --watch`: a screen at a terminal, drawn again until q or Ctrl-C, which gives the terminal back."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.waiting import LIMIT

from .conftest import ROOT, Leased


class Terminal:
    """`leased status --watch` at a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._ours, (30, 80))
        self.modes = self.modes_now
        surroundings = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "leased", "status", "--watch"],
            cwd=folder,
            env={**surroundings, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )
        self.said = ""

    @property
    def modes_now(self) -> list[object]:
        return list(termios.tcgetattr(self._theirs))

    def until(self, sentence: str) -> None:
        while sentence not in self.said:
            assert select.select([self._ours], [], [], LIMIT)[0], f"it never said {sentence!r}: {self.said}"
            self.said += os.read(self._ours, 4096).decode(errors="replace")

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def resize(self, rows: int) -> None:
        termios.tcsetwinsize(self._ours, (rows, 80))
        self.process.send_signal(signal.SIGWINCH)  # it is not the session's own terminal

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(leased: Leased, folder: Path, processes: None) -> Iterator[Terminal]:
    leased("sync", "shop.py")
    opened = Terminal(folder)
    yield opened
    opened.close()


@pytest.mark.parametrize(("end", "status"), [("q", 0), ("Ctrl-C", 0), ("SIGTERM", 143)])
@pytest.mark.sampled(1)
def test_it_shows_what_changes_until_it_is_ended_and_gives_the_terminal_back(
    end: str, status: int, terminal: Terminal, leased: Leased, folder: Path
) -> None:
    terminal.until("every 2s; q ends it")
    assert terminal.modes_now != terminal.modes
    text = (folder / "shop.py").read_text()
    (folder / "shop.py").write_text(f'{text}\nschedules.add("another", cron="0 2 * * *").command("a", "true")\n')
    leased("sync", "shop.py")
    terminal.press(" ")
    terminal.until("another")
    terminal.resize(3)
    terminal.until("more lines; every 2s")
    match end:
        case "q":
            terminal.press("q")
        case "Ctrl-C":
            terminal.process.send_signal(signal.SIGINT)
        case _:
            terminal.process.send_signal(signal.SIGTERM)
    terminal.until("\x1b[?1049l")
    assert terminal.process.wait(LIMIT) == status
    assert terminal.modes_now == terminal.modes
    assert "Traceback" not in terminal.said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--watch needs a terminal, and standard output is none"),
        (("--json",), "--watch and --json are both given"),
        (("--check",), "--watch and --check are both given"),
    ],
)
def test_where_there_is_nobody_to_watch_it_is_an_error(options: tuple[str, ...], said: str, leased: Leased) -> None:
    leased("db", "upgrade")
    answer = leased("status", "--watch", *options)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.err
