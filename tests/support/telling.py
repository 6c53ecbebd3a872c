"""The facts that a story's job reports, a line each in a file, and the gates (files) it waits at.

Only the standard library, so that it starts at once as a command:

    python -I -S telling.py JOB tell=began wait=GATE sleep=0.15 tell=ended
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = "STORY_FOLDER"
"""The environment variable that names the folder of both."""
LONGEST_WAIT = float(os.environ.get("STORY_PATIENCE", "120"))
NEVER = "0 3 1 1 *"
"""When schedules are due whose runs only a test requests."""
_POLL = 0.01
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """The clock of `lease.clock` (on Linux): the same in every process of this machine."""
    return time.clock_gettime(_BOOTTIME)


def folder() -> Path:
    return Path(os.environ[FOLDER])


def append(what: str, **more: Any) -> None:
    """Append a fact to the file in a single write."""
    fact = {"what": what, "pid": os.getpid(), "at": boottime(), "wall": time.time(), **more}
    file = os.open(folder() / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(fact).encode() + b"\n")
    finally:
        os.close(file)


def tell(what: str, run: Any, **more: Any) -> None:
    """Report a fact about the attempt of `run`."""
    known = run.log.extra
    append(
        what,
        schedule=run.schedule,
        job=known["job"],
        run=known["run_id"],
        attempt=run.attempt,
        token=run.token,
        scheduled_for=run.scheduled_for.timestamp(),
        **more,
    )


def events() -> list[dict[str, Any]]:
    """Return all facts so far."""
    try:
        lines = (folder() / "events").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def is_open(gate: str) -> bool:
    return (folder() / gate).exists()


def wait_for(gate: str) -> None:
    """Wait until a test has opened the gate; a gate that stays closed is an error."""
    deadline = boottime() + LONGEST_WAIT
    while not is_open(gate):
        if boottime() > deadline:
            raise TimeoutError(f"nobody opened {gate}")
        time.sleep(_POLL)


async def opens(gate: str) -> None:
    """Wait as `wait_for` does, in an async job."""
    await waits_for(lambda: is_open(gate))


async def waits_for(condition: Callable[[], object]) -> None:
    """Wait until `condition()` is true, in an async job."""
    async with asyncio.timeout(LONGEST_WAIT):
        while not condition():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(_POLL)


def is_alive(pid: int) -> bool:
    """Return whether the process is alive; a zombie is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def command(*words: str) -> list[str]:
    """Return the command that does what the words say."""
    return [sys.executable, "-I", "-S", __file__, *words]


Known = dict[str, Any]


def main(job: str, *words: str) -> int:
    """Do what the words say, one after the other; the environment describes the attempt."""
    known = {
        "schedule": os.environ["LEASED_SCHEDULE"],
        "job": job,
        "run": int(os.environ["LEASED_RUN"]),
        "attempt": int(os.environ["LEASED_ATTEMPT"]),
        "token": int(os.environ["LEASE_TOKEN"]),
        "scheduled_for": os.environ["LEASED_SCHEDULED_FOR"],
    }
    for word in words:
        kind, _, value = word.partition("=")
        WORDS[kind](value.replace("{attempt}", str(known["attempt"])), known)
    return 0


def tick(until: str, known: Known) -> None:
    """Report that this process lives, repeatedly, until a gate is opened."""
    deadline = boottime() + LONGEST_WAIT
    while boottime() < deadline and not is_open(until):
        append("tick", **known)
        time.sleep(_POLL)


def work(every: str, known: Known) -> None:
    """Report an effect again and again, without end."""
    deadline = boottime() + LONGEST_WAIT
    while boottime() < deadline:
        append("effect", **known)
        time.sleep(float(every))


def look(what: str, known: Known) -> None:
    """Report which processes of earlier attempts of this job are still alive."""
    before = {one["pid"] for one in events() if one.get("job") == known["job"]} - {os.getpid()}
    append(what, alive=[pid for pid in before if is_alive(pid)], **known)


def spawn(what: str, known: Known) -> None:
    """Start a process in a session of its own, which outlives this one unless it is killed."""
    append(what, child=os.posix_spawnp("sleep", ["sleep", "300"], os.environ, setsid=True), **known)


def ignore(number: str, _known: Known) -> None:
    """Take no notice of a signal, by its name."""
    signal.signal(signal.Signals[number], signal.SIG_IGN)


WORDS: dict[str, Callable[[str, Known], object]] = {
    "tell": lambda what, known: append(what, **known),
    "wait": lambda gate, _: wait_for(gate),
    "sleep": lambda seconds, _: time.sleep(float(seconds)),
    "tick": tick,
    "work": work,
    "look": look,
    "spawn": spawn,
    "ignore": ignore,
}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
