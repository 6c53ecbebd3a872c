"""A SIGHUP or SIGINT that is ignored at the start, as by `nohup` or a script's `&`, stays ignored, in jobs too."""

import signal
import sys
from pathlib import Path

import pytest

from tests.support.replicas import Story
from tests.support.waiting import LIMIT, wait_until

FILE = """
from pathlib import Path
from daemon import Schedules
from tests.support.telling import folder

schedules = Schedules("shop")
one = schedules.add("one", cron="0 3 1 1 *")
one.command("command", ["sh", "-c", 'cat /proc/self/status > "$STORY_FOLDER/command"'])

@one.job()
def function(run):
    (folder() / "function").write_bytes(Path("/proc/self/status").read_bytes())
"""
IGNORING = "for each in $IGNORED; do trap '' $each; done; exec \"$@\""
REACTS_TO = {signal.SIGHUP, signal.SIGINT}
OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores these itself."""


def ignored(status: Path) -> set[signal.Signals]:
    """The signals that a process ignores, by its status as the kernel shows it."""
    (mask,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigIgn:"))
    return {number for number in signal.Signals if int(mask, 16) >> number - 1 & 1}


@pytest.mark.parametrize(
    ("numbers", "replicas"),
    [
        pytest.param([signal.SIGHUP], 1, id="nohup"),
        pytest.param([signal.SIGINT], 1, id="interrupt", marks=pytest.mark.extended),
        pytest.param([signal.SIGHUP, signal.SIGINT, signal.SIGQUIT], 2, id="supervised", marks=pytest.mark.extended),
    ],
)
def test_what_is_ignored_at_the_start_stays_so_and_sigterm_ends_it_all(
    postgres_story: Story, numbers: list[signal.Signals], replicas: int
) -> None:
    story, log = postgres_story, postgres_story.folder / "ignoring.log"
    options = ["run", f"--database={story.url}", "--no-web", "--now=one", f"--replicas={replicas}"]
    command = [sys.executable, "-m", "leased", *options, story.write_file("shop.py", FILE)]
    names = " ".join(number.name.removeprefix("SIG") for number in numbers)
    process = story.spawn(["sh", "-c", IGNORING, "sh", *command], log, {"IGNORED": names})
    wait_until(lambda: process.poll() is not None or len(story.living()) == replicas, "all replicas run")
    assert process.poll() is None
    assert story.over("one").state == "succeeded"
    for pid in {process.pid, *story.living()}:
        assert ignored(Path(f"/proc/{pid}/status")) & REACTS_TO == {*numbers} & REACTS_TO
    for number in numbers:
        process.send_signal(number)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 128 + signal.SIGTERM
    assert story.living() == []
    assert ignored(story.folder / "command") == {*numbers}
    assert ignored(story.folder / "function") - OF_PYTHON == {*numbers}
    for number in REACTS_TO:
        assert log.read_text().count(
            f"{number.name} is ignored because the parent process ignored it"
        ) == numbers.count(number)
    assert log.read_text().count("stop it with SIGTERM") == len(REACTS_TO & {*numbers})
    assert "SIGHUP:" not in log.read_text()
