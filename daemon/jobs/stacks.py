"""What a job at work does at this moment, in text that is safe to store and to show: its processes; the stacks of
threads and tasks in this process, read from any thread without stopping them; and those that a function's own process
writes when it gets the signal (`reports.answer_signal`).
"""

import asyncio
import ctypes
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import FrameType
from typing import Any, Literal, Protocol, TypeVar

from ..own_thread import in_own_thread
from ..text import MASK, clean
from .processes.process_tree import PARENT, STATE, contents, descendants, stat
from .reports import SIGNAL, catches

T = TypeVar("T")

MOST_FRAMES = 40
MOST_STACKS = 20
MOST_PROCESSES = 50
_LONGEST = 300
"""The characters of a line that are kept."""

ProcessState = Literal["running", "sleeping", "waiting for the kernel", "stopped", "ended", "unknown"]


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """A process of a job."""

    pid: int
    parent: int
    state: ProcessState
    waits_in: str | None
    """The function of the kernel in which it waits, where the kernel tells."""
    cpu_seconds: float
    command: str
    """Its command line, with `***` in place of what may be secret."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a thread or a task stands."""

    of: str
    frames: Sequence[str]
    """``file:line in function``, the innermost first."""
    count: int = 1
    """How many threads or tasks stand there."""


@dataclass(frozen=True, slots=True)
class SeenWork:
    processes: Sequence[SeenProcess] = ()
    stacks: Sequence[Stack] = ()
    remarks: Sequence[str] = ()
    """What could not be seen, and why; a sentence each."""


def line(text: str) -> str:
    """Return a line of text that is safe to show."""
    return clean(text.encode(errors="replace").decode(errors="replace"))[:_LONGEST]


def bounded(stacks: Iterable[tuple[str, Sequence[str]]]) -> tuple[Stack, ...]:
    """Return the stacks, those that are the same once, and of each no more than can be read."""
    counted = Counter[tuple[str, tuple[str, ...]]]()
    for of, frames in stacks:
        more = [f"and {len(frames) - MOST_FRAMES:,} frames further out"] if len(frames) > MOST_FRAMES else []
        counted[line(of), (*map(line, frames[:MOST_FRAMES]), *more)] += 1
    return tuple(Stack(of, frames, count) for (of, frames), count in list(counted.items())[:MOST_STACKS])


# Threads and tasks in this process

_OURS = "daemon.jobs."
_FRAMES, _AWAITED = ("cr_frame", "gi_frame", "ag_frame"), ("cr_await", "gi_yieldfrom", "ag_await")
_DEEPEST = 200
"""How many awaits one chain may have."""


def of_thread(ident: int | None) -> list[str]:
    """Return the frames of a thread, the innermost first, without those of ours that called the job."""
    frame = sys._current_frames().get(ident or 0)  # noqa: SLF001 - documented for this use
    return of_frames([*outwards(frame)])


def of_tasks(task: "asyncio.Task[Any]", others: "Iterable[asyncio.Task[Any]]" = ()) -> Iterator[tuple[str, list[str]]]:
    """Yield what a task is called with its frames, the innermost await first; then the same of each that it waits for, and
    of ``others``.
    """
    todo, met = [task, *_waited_for(task), *others], set[int]()
    for one in todo:
        if id(one) not in met:
            met.add(id(one))
            name = one.get_name()  # those that have only numbers can be counted
            called = "a task" if re.fullmatch(r"Task-\d+", name) else f"task {name}"
            yield "the job's task" if one is task else called, of_frames([*_awaits(one.get_coro())][::-1])
            todo += _waited_for(one)


def _awaits(awaited: Any) -> Iterator[FrameType]:
    for _ in range(_DEEPEST):
        frame = next((found for name in _FRAMES if (found := getattr(awaited, name, None)) is not None), None)
        if frame is not None:
            yield frame
        awaited = next((found for name in _AWAITED if (found := getattr(awaited, name, None)) is not None), None)
        if awaited is None:
            break


def _waited_for(task: "asyncio.Task[Any]") -> "Iterator[asyncio.Task[Any]]":
    """Yield the tasks for which a task waits: one, or those of `gather`."""
    future = getattr(task, "_fut_waiter", None)
    for one in (future, *(getattr(future, "_children", None) or ())):
        if isinstance(one, asyncio.Task):
            yield one


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def of_frames(frames: Sequence[FrameType]) -> list[str]:
    """Return frames as they are shown, without those of ours that called the job."""
    theirs = takewhile(lambda frame: not str(frame.f_globals.get("__name__")).startswith(_OURS), frames)
    return [f"{one.f_code.co_filename}:{one.f_lineno} in {one.f_code.co_qualname}" for one in theirs]


# The processes of a child

_SPEAKS = (
    r"(?:passw|passphrase|pwd|secret|token|api.?key|access.?key|private.?key|credential|auth|bearer|cookie)[\w.-]*+"
)
_PATTERNS = (
    re.compile(r"(?P<before>://[^\s/@:]*+:)(?P<value>[^\s@]++)(?=@)"),
    re.compile(rf"(?P<before>{_SPEAKS}[=:]\s*)(?P<value>'[^']*'|\"[^\"]*\"|[^\s&;]+)", re.IGNORECASE),
    re.compile(
        rf"(?P<before>(?:^|\s)-{{1,2}}[\w.-]*?{_SPEAKS}\s+)(?P<value>'[^']*'|\"[^\"]*\"|[^\s-]\S*)", re.IGNORECASE
    ),
    re.compile(r"(?P<before>(?:^|\s)-u\s*[^\s:]+:)(?P<value>\S+)"),
    re.compile(r"(?P<before>(?:^|[\s;&|(])[A-Za-z_]\w*=)(?P<value>'[^']*'|\"[^\"]*\"|[^\s;&|)]+)"),
)
"""A password in a URL; what has a name that speaks of a secret, as a field, a variable or an option; the user and password
of curl; and the value of any variable that is set. None takes long with any command line: a search lets no other thread run.
"""
_SHORTEST = 4
"""A secret value that is shorter than this is not looked for: it would be found everywhere."""


def masked(command: str, secrets: Iterable[str] = ()) -> str:
    """Return a command line with `***` in place of ``secrets`` and of what looks like one."""
    for secret in sorted((one for one in secrets if len(one) >= _SHORTEST), key=len, reverse=True):
        command = command.replace(secret, MASK)
    for pattern in _PATTERNS:
        command = pattern.sub(lambda found: found["before"] + MASK, command)
    return command


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


def state_of(pid: int, thread: int) -> ProcessState:
    """Return what a thread does; ``ended`` if there is none."""
    fields = stat(f"{pid}/task/{thread}")
    return "ended" if fields is None else _STATES.get(fields[STATE], "unknown")


def _processes_below(keeper: int, secrets: Iterable[str]) -> Iterator[SeenProcess]:
    """Yield the processes below a keeper, parents first."""
    for pid in list(descendants(keeper))[:MOST_PROCESSES]:
        if (fields := stat(pid)) is None:
            continue
        state = _STATES.get(fields[STATE], "unknown")
        cpu_seconds = round(sum(map(int, fields[_CPU])) / os.sysconf("SC_CLK_TCK"), 2)
        waits_in = "" if state in {"running", "ended"} else _read(pid, "wchan").strip("\0 \n")
        words = [] if state == "ended" else _read(pid, "cmdline").rstrip("\0").split("\0")
        command = line(masked(" ".join(words) or f"[{_read(pid, 'comm').strip()}]", secrets))
        shown = None if waits_in in {"", "0"} else line(waits_in)
        yield SeenProcess(pid, int(fields[PARENT]), state, shown, cpu_seconds, command)


def _read(pid: int, what: str) -> str:
    return contents(f"/proc/{pid}/{what}").decode(errors="replace")


# The stacks of a function's own process

_READ_WITHIN = 3.0
"""Seconds that reading /proc may take, which can wait for a process that holds its own memory locked."""
_ANSWERS_WITHIN = 2.0
"""Seconds that the process has to write its stacks."""
_QUIET = 0.1
"""Seconds without another line after which all is taken to be written, once as many have begun as were asked; and five times
as many if fewer have, since a thread of a C library writes nothing.
"""
_LOOK_FOR = 0.25
"""Seconds in which a thread is looked for asleep: then its stack does not change while it is written."""
_BETWEEN = 0.01
_MOST_THREADS = 64
_ASKED_IN = {"sleeping", "waiting for the kernel", *(["running"] if sys.version_info[:2] != (3, 12) else [])}
"""The states in which a thread is asked. Python 3.12's faulthandler can crash a busy one that has just entered a function."""

_CHILD_MAIN = f"{os.sep}daemon{os.sep}jobs{os.sep}child_main.py:"
"""What called the job, and is not shown."""
_HEADER = b"Stack (most recent call first):"
_WRITTEN = re.compile(rb'  File "(.*)", line (\d+|\?\?\?) in (.*)')


async def seen_of_child(
    pid: int | None, keeper: int, pipe: "AskedPipe", *, secrets: Collection[str], is_function: bool
) -> SeenWork:
    """Return what is seen of a child with the process id ``pid`` and this report pipe."""
    if sys.platform != "linux":
        return SeenWork(remarks=("only Linux shows what processes do",))
    try:
        processes = await _aside(lambda: [*_processes_below(keeper, secrets)])
        main = next((one for one in processes if one.pid == pid), None)
        if main is None or pid is None:
            return SeenWork(processes, remarks=("the job's own process has ended" if pid else "it is being started",))
        if not is_function:
            return SeenWork(processes)
        if main.state in {"stopped", "ended"}:
            why = f"the job's process is {main.state}, so it can't be asked for its stack"
            return SeenWork(processes, remarks=(why,))
        if not await _aside(lambda: _is_prepared(pid, pipe.reported)):
            why = f"it can't be asked for its stack: it is still starting, or its code handles {SIGNAL.name} itself"
            return SeenWork(processes, remarks=(why,))
        return await _asked(pid, processes, pipe)
    except TimeoutError:
        return SeenWork(remarks=("reading what /proc shows of its processes took too long",))


class AskedPipe(Protocol):
    reported: int
    """Our end."""
    others: list[bytes] | None
    """The lines that are no reports, while somebody asks for them."""


async def _asked(pid: int, processes: Sequence[SeenProcess], pipe: AskedPipe) -> SeenWork:
    """Ask the main thread, then the others, and return what they wrote."""
    taken = pipe.others = []
    try:
        asked = await _ask(pid, [pid], taken)
        mains = len(_stacks(taken))
        asked += await _ask(pid, [one for one in await _aside(lambda: _threads(pid)) if one != pid], taken)
        found = _stacks(taken)
    finally:
        pipe.others = None
    names = ["main thread"] * mains + ["another thread"] * len(found)
    remarks = () if mains else (_why_no_stack(pid, asked),)
    return SeenWork(processes, bounded(zip(names, found, strict=False)), remarks)


def _why_no_stack(pid: int, asked: Collection[int]) -> str:
    """Return why a main thread wrote none."""
    if pid not in asked:
        return (
            "its main thread is busy in Python 3.12, whose faulthandler can crash a busy process, so it was not asked; "
            "ask again, or look with py-spy"
        )
    if state_of(pid, pid) == "waiting for the kernel":
        return "its main thread waits for the kernel, and can't be asked before that has answered"
    return f"its main thread wrote no stack: the job may handle {SIGNAL.name} itself, or block it"


async def _ask(pid: int, threads: Sequence[int], taken: list[bytes]) -> list[int]:
    """Ask threads, wait until all is written, as far as that shows, and return which were asked."""
    loop, before, quiet = asyncio.get_running_loop(), len(taken), 0
    asked = await _aside(lambda: _send(pid, threads))
    deadline = loop.time() + _ANSWERS_WITHIN
    while asked and loop.time() < deadline:
        last = len(taken)
        await asyncio.sleep(_QUIET)
        quiet = quiet + 1 if before < len(taken) == last else 0
        if quiet == 5 or (quiet and taken[before:].count(_HEADER) >= len(asked)):
            break
    return asked


def _stacks(lines: Sequence[bytes]) -> list[list[str]]:
    found: list[list[str]] = []
    for one in lines:
        if one == _HEADER:
            found.append([])
        elif found and (frame := _WRITTEN.fullmatch(one)) is not None:
            file, number, function = (part.decode(errors="replace") for part in frame.groups())
            found[-1].append(f"{file}:{number} in {function}")
    return [[*takewhile(lambda frame: _CHILD_MAIN not in frame, frames)] or frames for frames in found]


# On a thread of its own


def _is_prepared(pid: int, pipe: int) -> bool:
    """Return whether the process answers the signal: it has the pipe open a second time, so that its writes never wait."""
    ours = os.readlink(f"/proc/self/fd/{pipe}")  # noqa: PTH115 - as text
    try:
        if not catches(pid):
            return False
        for number in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - names are enough
            if os.readlink(f"/proc/{pid}/fd/{number}") == ours:  # noqa: PTH115
                flags = re.search(rb"^flags:\s*(\d+)", contents(f"/proc/{pid}/fdinfo/{number}"), re.MULTILINE)
                if flags is not None and int(flags[1], 8) & os.O_NONBLOCK:
                    return True
    except OSError:
        return False
    return False


def _threads(pid: int) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))[:_MOST_THREADS]  # noqa: PTH208
    except OSError:
        return []


def _send(pid: int, threads: Sequence[int]) -> list[int]:
    """Send the signal to threads, one after another, asleep if they are soon; return those that were asked."""
    send = getattr(ctypes.CDLL(None), "tgkill", None)  # musl has none
    asked = []
    for thread in threads:
        deadline = time.monotonic() + _LOOK_FOR
        while (state := state_of(pid, thread)) == "running" and time.monotonic() < deadline:
            time.sleep(_LOOK_FOR / 50)
        if state not in _ASKED_IN:
            continue
        if send is not None:
            send(pid, thread, int(SIGNAL))
        elif thread == pid:
            os.kill(pid, SIGNAL)  # the kernel gives it to the main thread, if that takes it
        asked.append(thread)
        time.sleep(_BETWEEN)  # faulthandler writes one stack at a time
    return asked


async def _aside(call: Callable[[], T]) -> T:
    """Return the result of a call that may block for ever; raises `TimeoutError`."""
    async with asyncio.timeout(_READ_WITHIN + _MOST_THREADS * _LOOK_FOR):
        return await in_own_thread(call, "leased-look")
