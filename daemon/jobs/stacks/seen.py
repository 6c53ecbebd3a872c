"""What was seen of a job at work, in text that is safe to store and to show; and the stacks of
threads and tasks in this process, read from any thread without stopping them.
"""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from ...text import clean

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
    counted = Counter((line(of), _cut(frames)) for of, frames in stacks)
    return tuple(Stack(of, frames, count) for (of, frames), count in list(counted.items())[:MOST_STACKS])


def _cut(frames: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(line(frame) for frame in frames[:MOST_FRAMES])
    return kept if len(frames) <= MOST_FRAMES else (*kept, f"and {len(frames) - MOST_FRAMES:,} frames further out")


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
            yield "the job's task" if one is task else _called(one), of_frames([*_awaits(one.get_coro())][::-1])
            todo += _waited_for(one)


def _called(task: "asyncio.Task[Any]") -> str:
    """Return what a task is called: those that have only numbers can be counted."""
    name = task.get_name()
    return "a task" if re.fullmatch(r"Task-\d+", name) else f"task {name}"


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
    shown = list(frames)
    names = (str(frame.f_globals.get("__name__")) for frame in shown)
    ours = next((at for at, name in enumerate(names) if name.startswith(_OURS)), len(shown))
    return [f"{one.f_code.co_filename}:{one.f_lineno} in {one.f_code.co_qualname}" for one in shown[:ours]]
