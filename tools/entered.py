"""The files and functions of the lock library that one `hold` enters.

    python -m tools.entered [--names] [URL …]

Without URLs, on a new file of SQLite and on a PostgreSQL server of its own. The second hold of a client and
the twelfth are followed, in all threads; of these, the table shows apart what the caller's own thread enters.
"""

import argparse
import asyncio
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType

from sqlalchemy import URL, create_engine, make_url

import lease
from benchmarks.opening import own_server
from lease.client import LeaseClient
from lease.sync import LeaseClient as SyncLeaseClient

_ROOT = Path(lease.__file__).parent.parent
_HOLDS = 12
_FOLLOWED = (2, _HOLDS)


@dataclass(slots=True)
class Entered:
    """The functions of some rooms that were entered, by the thread that entered them."""

    rooms: tuple[str, ...]
    is_following: bool = False
    by_caller: dict[CodeType, None] = field(default_factory=dict)
    """In the order in which it entered them first."""
    by_any: dict[CodeType, None] = field(default_factory=dict)

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        """Take note of a call, for `sys.setprofile`; the bodies of modules and classes are none."""
        del argument
        code = frame.f_code
        if self.is_following and event == "call" and code.co_flags & CO_OPTIMIZED and self._is_in(code.co_filename):
            self.by_any.setdefault(code)
            if threading.current_thread() is threading.main_thread():
                self.by_caller.setdefault(code)

    def leave_out(self, room: str) -> None:
        """Take out what stands in this room: it moved the others."""
        for codes in (self.by_caller, self.by_any):
            for code in [code for code in codes if code.co_filename.startswith(f"{_ROOT}/{room}/")]:
                del codes[code]

    def _is_in(self, file: str) -> bool:
        return any(file.startswith(f"{_ROOT}/{room}/") for room in self.rooms)


def entered_sync(url: URL, which: int) -> Entered:
    """Follow the hold of that number in a thread."""
    with profiled() as entered, SyncLeaseClient(url) as client:
        for number in range(1, which + 1):
            entered.is_following = number == which
            with client.hold("a"):
                pass
        entered.is_following = False
    return entered


def entered_async(url: URL, which: int) -> Entered:
    """Follow the hold of that number in an event loop."""

    async def hold(entered: Entered) -> None:
        async with LeaseClient(url) as client:
            for number in range(1, which + 1):
                entered.is_following = number == which
                async with client.hold("a"):
                    pass
            entered.is_following = False

    with profiled() as entered:
        asyncio.run(hold(entered))
    return entered


@contextmanager
def profiled(*rooms: str) -> Iterator[Entered]:
    """Follow, during the block, this thread and those that it starts."""
    entered = Entered(rooms or ("lease",))
    threading.setprofile(entered.note)
    sys.setprofile(entered.note)
    try:
        yield entered
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def shown(codes: Collection[CodeType]) -> str:
    """Return how many files and functions these are."""
    return f"{len({code.co_filename for code in codes})} files, {len(codes)} functions"


def names_of(codes: Collection[CodeType]) -> Iterator[str]:
    """Return a line for each function, in the order of their files."""
    for code in sorted(codes, key=lambda code: (code.co_filename, code.co_firstlineno)):
        yield f"    {Path(code.co_filename).relative_to(_ROOT)}:{code.co_firstlineno} {code.co_qualname}\n"


def _show(url: URL, *, names: bool) -> None:
    ways: dict[str, Callable[[URL, int], Entered]] = {"sync": entered_sync, "async": entered_async}
    for way, follow in ways.items():
        for which in _FOLLOWED:
            entered = follow(url, which)
            sys.stdout.write(
                f"{url.get_backend_name()}, {way}, hold {which}: {shown(entered.by_caller)} "
                f"(in all threads {shown(entered.by_any)})\n"
            )
            if names:
                sys.stdout.writelines(names_of(entered.by_any))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each way to hold, on each database."""
    parser = argparse.ArgumentParser(prog="python -m tools.entered", description=__doc__, allow_abbrev=False)
    parser.add_argument("--names", action="store_true", help="list them")
    parser.add_argument("url", nargs="*", type=make_url)
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        urls: list[URL] = given.url
        if not urls:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="leased-entered-"))
            urls = [make_url(f"sqlite:///{folder}/leases.db"), make_url(own_server(stack))]
        for url in urls:
            engine = create_engine(url.set(drivername="postgresql+psycopg") if "postgres" in url.drivername else url)
            with engine.begin() as connection:
                lease.create_tables(connection)
            engine.dispose()
            _show(url, names=given.names)


if __name__ == "__main__":
    main()
