"""The processes of a job, as /proc shows them. Reading it may block, so it is done on a thread of its own."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..processes.process_tree import PARENT, STATE, descendants, stat
from .masked import masked
from .seen import MOST_PROCESSES, ProcessState, SeenProcess, line

_CPU = slice(11, 13)
"""Where the clock ticks are that it has used, in what `stat` returns."""
_STATES: dict[bytes, ProcessState] = {
    b"R": "running",
    b"S": "sleeping",
    b"I": "sleeping",
    b"D": "waiting for the kernel",
    b"T": "stopped",
    b"t": "stopped",
    b"Z": "ended",
    b"X": "ended",
}


def processes_below(keeper: int, secrets: Iterable[str] = ()) -> Sequence[SeenProcess]:
    """Return the processes below a keeper, parents first."""
    found = (_seen(pid, secrets) for pid in list(descendants(keeper))[:MOST_PROCESSES])
    return [one for one in found if one is not None]


def state_of(pid: int, thread: int) -> ProcessState:
    """Return what a thread does; ``ended`` if there is none."""
    try:
        raw = Path(f"/proc/{pid}/task/{thread}/stat").read_bytes()
    except OSError:
        return "ended"
    return _STATES.get(raw[raw.rindex(b")") + 2 :][:1], "unknown")


def _seen(pid: int, secrets: Iterable[str]) -> SeenProcess | None:
    fields = stat(pid)
    if fields is None:
        return None
    state = _STATES.get(fields[STATE], "unknown")
    ticks = sum(map(int, fields[_CPU]))
    waits_in = None if state in {"running", "ended"} else _read(pid, "wchan").strip("\0 \n")
    words = [] if state == "ended" else _read(pid, "cmdline").rstrip("\0").split("\0")
    command = " ".join(words) or f"[{_read(pid, 'comm').strip()}]"
    return SeenProcess(
        pid,
        int(fields[PARENT]),
        state,
        None if waits_in in {None, "", "0"} else line(str(waits_in)),
        round(ticks / os.sysconf("SC_CLK_TCK"), 2),
        line(masked(command, secrets)),
    )


def _read(pid: int, what: str) -> str:
    try:
        with Path(f"/proc/{pid}/{what}").open("rb") as file:
            return file.read(4096).decode(errors="replace")
    except OSError:
        return ""
