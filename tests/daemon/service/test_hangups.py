"""SIGHUP, in processes of their own: from a person, from a terminal that closes, too early, and under nohup."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.waiting import LIMIT, wait_until

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from daemon.service.outside.outside import Hangups, hold_back

folder, stage, *terminal = sys.argv[1:]
if terminal:
    os.open(terminal[0], os.O_RDWR)  # a session's first terminal becomes its own

def say(word):
    draft = Path(folder, f".{word}")
    draft.touch()
    draft.rename(Path(folder, word))

def on_hangup(closed):
    heard.put_nowait("closed" if closed else "asked")

async def listen():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, heard.put_nowait, "nothing")
    with hangups.heard_by(on_hangup):
        say("listening")
        say(await heard.get())

if stage == "again":
    hold_back()
    say("held-back")
    sys.stdin.readline()
    os.execv(sys.executable, [sys.executable, "-c", os.environ["PROGRAM"], folder, "now"])
hangups = Hangups()
say("caught")
if stage == "later":
    sys.stdin.readline()
heard = asyncio.Queue()
asyncio.run(listen())
"""


class Listener:
    """A process that listens for SIGHUP, and the folder in which it leaves word."""

    def __init__(self, folder: Path, stage: str, *terminal: str, first: str = "") -> None:
        self.folder = folder
        command = [sys.executable, "-c", PROGRAM, str(folder), stage, *terminal]
        if first:
            command = ["/bin/sh", "-c", f'{first}; exec "$@"', "sh", *command]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PROGRAM": PROGRAM}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)

    def said(self, word: str) -> bool:
        return (self.folder / word).exists()

    def wait_for(self, word: str) -> None:
        wait_until(lambda: self.said(word) or self.process.poll() is not None, word)
        assert self.said(word), f"it ended with {self.process.poll()}"

    def go_on(self) -> None:
        """End what it reads, for which it waits."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)


Start = Callable[..., Listener]


@pytest.fixture
def start(tmp_path: Path, processes: None) -> Iterator[Start]:
    with ExitStack() as ends:

        def started(stage: str, *terminal: str, first: str = "") -> Listener:
            made = Listener(tmp_path, stage, *terminal, first=first)
            ends.enter_context(made.process)
            ends.callback(made.process.kill)
            return made

        yield started


@pytest.mark.parametrize("closes", [False, True])
def test_at_a_terminal_somebody_asks_until_the_terminal_has_closed(start: Start, closes: bool) -> None:
    ours, theirs = os.openpty()
    listener = start("now", os.ttyname(theirs))
    listener.wait_for("listening")
    if not closes:
        listener.hang_up()
        listener.wait_for("asked")
    os.close(theirs)
    os.close(ours)
    if closes:
        listener.wait_for("closed")
        assert listener.process.wait(LIMIT) == 0


def test_one_that_comes_before_anybody_listens_is_kept(start: Start) -> None:
    listener = start("later")
    listener.wait_for("caught")
    listener.hang_up()
    listener.go_on()
    listener.wait_for("asked")


def test_one_that_comes_on_the_way_to_a_start_anew_is_heard_there(start: Start) -> None:
    listener = start("again")
    listener.wait_for("held-back")
    listener.hang_up()
    listener.go_on()
    listener.wait_for("asked")


def test_the_first_process_of_a_container_loses_no_request_to_stop_on_the_way_there(start: Start) -> None:
    """As process 1 it gets no signal without a handler, not even one that was held back."""
    if subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no process here may make a pid namespace")
    listener = start("again", first='set -- unshare --pid --fork --kill-child "$@"')
    listener.wait_for("held-back")
    (pid,) = Path(f"/proc/{listener.process.pid}/task/{listener.process.pid}/children").read_text().split()
    os.kill(int(pid), signal.SIGTERM)
    listener.go_on()
    assert listener.process.wait(LIMIT) == 128 + signal.SIGTERM
    assert not listener.said("listening")


def test_under_nohup_it_stays_ignored(start: Start) -> None:
    listener = start("now", first="trap '' HUP")
    listener.wait_for("listening")
    listener.hang_up()
    listener.process.send_signal(signal.SIGUSR1)
    listener.wait_for("nothing")
