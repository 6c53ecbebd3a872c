"""The size of the product: what stands in each room, and what three acts of the daemon enter.

    python -m tools.size [--names]

Lines, files and classes are those of `lease/` and of the rooms of `daemon/`. "light" sums up the rooms of the daemon
without pages and the parts that notify and measure. Followed, in all threads of this process and each for the second
time: a scheduled time, from the tick that plans it to the end of its run; a tick with nothing to do; and
`leased cancel RUN`. The process of the job itself is not followed, nor is the `ManualReplica` that moves the replica.
"""

import argparse
import ast
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import lease
from daemon import cli
from daemon.testing import ManualReplica, ManualStore

from .entered import Entered, names_of, profiled, shown

ROOT = Path(lease.__file__).parent.parent
APART = {"delivery", "telemetry", "web"}
FILE = """application = "shop"

[schedules.work]
every = "1m"
jobs = [{ name = "say", command = "echo done" }]
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of a room."""

    lines: int = 0
    files: int = 0
    classes: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.lines + other.lines, self.files + other.files, self.classes + other.classes)


def size_of(file: Path) -> Size:
    """Return the size of one file."""
    text = file.read_text()
    return Size(len(text.splitlines()), 1, sum(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(text))))


def sizes(root: Path) -> dict[str, Size]:
    """Return the size of each room: of `lease` as a whole, and of each folder and module of `daemon`."""
    found: dict[str, Size] = {}
    for file in sorted([*(root / "lease").rglob("*.py"), *(root / "daemon").rglob("*.py")]):
        top, *inside = file.relative_to(root).with_suffix("").parts
        room = top if top == "lease" else f"daemon/{inside[0]}" if len(inside) > 1 else "daemon"
        found[room] = found.get(room, Size()) + size_of(file)
    return found


def rows(found: dict[str, Size]) -> Iterator[tuple[str, Size]]:
    """Return the rooms and their sums."""
    yield from found.items()
    daemon = {room: size for room, size in found.items() if room.startswith("daemon")}
    yield "daemon, light", sum((size for room, size in daemon.items() if room[7:] not in APART), Size())
    yield "daemon, all", sum(daemon.values(), Size())
    yield "product", sum(found.values(), Size())


def by_a_run(file: Path) -> Entered:
    """Follow a scheduled time, from the tick that plans it to the end of its run."""

    async def work(store: ManualStore, replica: ManualReplica) -> None:
        store.clock.advance("1m")
        runs = replica.replica.runs
        before = runs.tally["succeeded"]
        await replica.tick()
        while runs.claimed:
            await runs.one_ended()
        assert runs.tally["succeeded"] == before + 1  # noqa: S101 - else the figures are of something else

    return _second_of_a_replica(file, work)


def by_an_idle_tick(file: Path) -> Entered:
    """Follow a tick of a replica that has nothing to do."""

    async def work(_store: ManualStore, replica: ManualReplica) -> None:
        await replica.tick()

    return _second_of_a_replica(file, work)


def by_a_cancel(file: Path) -> Entered:
    """Follow `leased cancel RUN` of a run that waits."""
    url = ("--database", f"sqlite:///{file.with_name('leased.db')}")
    _leased("sync", str(file), *url)
    for _ in range(2):
        _leased("trigger", "work", *url)
    with profiled("lease", "daemon") as entered:
        _leased("cancel", "1", *url)
        entered.is_following = True
        _leased("cancel", "2", *url)
        entered.is_following = False
    return entered


def _second_of_a_replica(file: Path, work: Callable[[ManualStore, ManualReplica], Awaitable[None]]) -> Entered:
    async def both(entered: Entered) -> None:
        store = ManualStore("2026-07-01T00:00:00Z")
        async with store, ManualReplica(store, file, in_children=True) as replica:
            await work(store, replica)
            entered.is_following = True
            await work(store, replica)
            entered.is_following = False

    with profiled("lease", "daemon") as entered:
        asyncio.run(both(entered))
    entered.leave_out("daemon/testing")
    return entered


def _leased(*arguments: str) -> None:
    with redirect_stdout(StringIO()):
        assert cli.main(arguments) == 0  # noqa: S101 - as above


def least(follow: Callable[[Path], Entered]) -> Entered:
    """Follow an act three times, each in a folder of its own, and return the one that entered least: a sign of life may
    fall into another.
    """
    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory(prefix="leased-size-") as folder:
            file = Path(folder) / "schedules.toml"
            file.write_text(FILE)
            found.append(follow(file))
    return min(found, key=lambda entered: len(entered.by_any))


ACTS = {
    "a scheduled time, to the end of its run": by_a_run,
    "an idle tick": by_an_idle_tick,
    "leased cancel RUN": by_a_cancel,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each room and each act."""
    parser = argparse.ArgumentParser(prog="python -m tools.size", description=__doc__, allow_abbrev=False)
    parser.add_argument("--names", action="store_true", help="list the functions that are entered")
    given = parser.parse_args(arguments)
    sys.stdout.write(f"{'':24}{'lines':>8}{'files':>7}{'classes':>9}\n")
    for room, size in rows(sizes(ROOT)):
        sys.stdout.write(f"{room:24}{size.lines:8,}{size.files:7,}{size.classes:9,}\n")
    for what, follow in ACTS.items():
        entered = least(follow)
        sys.stdout.write(f"{what}: {shown(entered.by_any)}\n")
        if given.names:
            sys.stdout.writelines(names_of(entered.by_any))


if __name__ == "__main__":
    main()
