"""The question of `leased run` at a terminal before it supersedes what living replicas run."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.definitions.application import Application
from tests.support.waiting import LIMIT

from ..conftest import ROOT, Answer, Leased
from .conftest import Shop, numbers


class Terminal:
    """`leased run` at a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "leased", "run", *arguments, "--no-web", "--until-idle"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, said: str) -> str:
        heard = b""
        while said.encode() not in heard:
            assert select.select([self._ours], [], [], LIMIT)[0], f"it never said {said!r}"
            try:
                heard += os.read(self._ours, 4096)
            except OSError:  # it has ended
                break
        text = heard.decode()
        assert said in text
        return text

    def rest(self) -> str:
        """Return what it has said since."""
        heard = b""
        while select.select([self._ours], [], [], 0)[0]:
            try:
                heard += os.read(self._ours, 4096)
            except OSError:
                break
        return heard.decode()

    def answer(self, text: str) -> int:
        os.write(self._ours, text.encode())
        return self.end()

    def interrupt(self) -> None:
        """Interrupt it, again if need be: a signal that comes just before it reads what is typed wakes nobody."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)

    def end(self) -> int:
        """Wait until it has ended, and return its exit status."""
        self.process.communicate(timeout=LIMIT)
        return self.process.returncode

    def close(self) -> None:
        """End it if it has not ended."""
        self.process.kill()
        self.process.communicate()
        os.close(self._ours)


Start = Callable[..., Terminal]


@pytest.fixture
def at_a_terminal(shop: Shop, processes: None) -> Iterator[Start]:
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(shop.folder, *arguments))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("options", [(), ("--replicas", "2")])
@pytest.mark.sampled(1)
def test_at_a_terminal_it_asks_before_it_supersedes_and_does_nothing_without_a_yes(
    leased: Leased, shop: Shop, old: Application, at_a_terminal: Start, options: tuple[str, ...]
) -> None:
    shop.start(old, "web1")
    shop.start(old, "web2")
    terminal = at_a_terminal("edited.py", *options)
    asked = terminal.until("[y/N]")
    assert "2 replicas on web1, web2 run generation 1 of shop; supersede this?" in asked
    assert terminal.answer("\n") == 1
    assert numbers(leased) == [1]


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("key", ["Ctrl-C", "Ctrl-D"])
@pytest.mark.sampled(1)
def test_what_is_said_after_a_question_without_an_answer_is_on_a_line_of_its_own(
    shop: Shop, old: Application, at_a_terminal: Start, key: str
) -> None:
    shop.start(old, "web1")
    terminal = at_a_terminal("edited.py")
    terminal.until("[y/N] ")
    if key == "Ctrl-D":
        assert terminal.answer("\x04") == 1
    else:
        terminal.interrupt()
        assert terminal.end() == 130
    assert terminal.rest().startswith("\r\n")


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("how", ["answer", "--yes"])
@pytest.mark.sampled(1)
def test_with_a_yes_it_supersedes(leased: Leased, shop: Shop, old: Application, at_a_terminal: Start, how: str) -> None:
    shop.start(old, "web1")
    terminal = at_a_terminal("edited.py", *(["--yes"] if how == "--yes" else []))
    if how == "answer":
        terminal.until("[y/N]")
        assert terminal.answer("yes\n") == 0
    else:
        assert terminal.end() == 0
    assert numbers(leased) == [2, 1]


@pytest.mark.usefixtures("new")
def test_at_a_terminal_it_takes_a_take_over_to_retire_what_living_replicas_run(
    leased: Leased, shop: Shop, old: Application, at_a_terminal: Start
) -> None:
    shop.start(old, "web1")
    shop.start(old, "web2")
    terminal = at_a_terminal("new.py")
    said = " ".join(terminal.until("--take-over").split())
    assert "2 replicas on web1, web2 run generation 1 of shop; this would retire goes" in said
    assert "[y/N]" not in said
    assert terminal.end() == 1
    assert numbers(leased) == [1]
    assert at_a_terminal("new.py", "--take-over").end() == 0
    assert numbers(leased) == [2, 1]


@pytest.mark.extended
def test_where_it_supersedes_nobody_it_does_not_ask(
    shop: Shop, old: Application, new: Application, at_a_terminal: Start
) -> None:
    shop.start(old, "web1")
    shop.start(new, "web2")
    assert at_a_terminal("new.py").end() == 0
    superseded = at_a_terminal("old.py")
    superseded.until("are superseded by others")
    assert superseded.end() == 1


def test_without_a_terminal_it_goes_on_and_says_so(
    leased: Leased, process: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    answer: Answer = process("run", "new.py", "--until-idle", "--no-web")
    assert answer.status == 0
    assert "1 replica on web1 runs generation 1; these definitions supersede theirs" in answer.out + answer.err
    assert numbers(leased) == [2, 1]
