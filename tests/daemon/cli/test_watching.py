"""`leased status --watch`: a screen at a terminal, drawn again until q or Ctrl-C, which gives the terminal back."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Shell

from .conftest import Leased

AGAIN = "q ends it"
BEGIN, END = "\x1b[?1049h", "\x1b[?1049l"
"""The other screen, and the one before."""
Start = Callable[[str], Shell]


@pytest.fixture
def started(leased: Leased, folder: Path, processes: None) -> Iterator[Start]:
    """Start what a shell is to do at a terminal of its own."""
    leased("sync", "shop.py")
    shells: list[Shell] = []

    def start(script: str) -> Shell:
        shells.append(Shell(folder, script))
        return shells[-1]

    yield start
    for shell in shells:
        shell.close()


@pytest.mark.parametrize(("end", "status"), [("q", 0), ("Ctrl-C", 0), ("SIGTERM", 143)])
@pytest.mark.sampled(1)
def test_it_shows_what_changes_until_it_is_ended_and_gives_the_terminal_back(
    end: str, status: int, started: Start, leased: Leased, folder: Path
) -> None:
    terminal = started("exec $LEASED status --watch")
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
            terminal.press("\x03")
        case _:
            terminal.process.send_signal(signal.SIGTERM)
    terminal.until(END)
    assert terminal.end() == status
    assert terminal.modes_now == terminal.modes
    assert "Traceback" not in terminal.written
    assert not re.search(r"[^H\n]\x1b\[[KJ]", terminal.written), "the last character of a full line is not erased"


def test_ctrl_z_gives_the_terminal_back_until_the_shell_continues_it(started: Start) -> None:
    terminal = started("set -m; $LEASED status --watch; echo stopped: $?; read; fg")
    terminal.until(AGAIN)
    terminal.press("\x1a")
    terminal.until("stopped: 148")
    assert (terminal.written.count(BEGIN), terminal.written.partition(END)[2].count("stopped")) == (1, 1)
    assert terminal.modes_now == terminal.modes
    terminal.press("\n")
    terminal.until(BEGIN, times=2)
    terminal.until(AGAIN, times=terminal.written.rpartition(BEGIN)[0].count(AGAIN) + 1)
    assert terminal.modes_now != terminal.modes
    terminal.press("q")
    assert terminal.end() == 0
    assert (terminal.written.count(END), terminal.modes_now) == (2, terminal.modes)


@pytest.mark.extended
def test_ctrl_z_without_a_shell_to_go_back_to_is_a_look_more(started: Start) -> None:
    """As where it is the only program of a terminal: the kernel stops nothing there."""
    terminal = started("exec $LEASED status --watch")
    terminal.until(AGAIN)
    terminal.press("\x1a")
    terminal.until(BEGIN, times=2)
    terminal.press("q")
    assert terminal.end() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--watch needs a terminal, and standard output is not one"),
        (("--json",), "--watch and --json are both given"),
        (("--check",), "--watch and --check are both given"),
    ],
)
def test_where_there_is_nobody_to_watch_it_is_an_error(options: tuple[str, ...], said: str, leased: Leased) -> None:
    leased("db", "upgrade")
    answer = leased("status", "--watch", *options)
    assert (answer.status, answer.out, said in answer.err) == (2, "", True)
