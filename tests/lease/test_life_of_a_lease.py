"""The life of a lease, as the docstring of `lease` tells it, and as one hold lives it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import lease
from lease.sync import LeaseClient
from tests.lease.calls.callers import warm
from tests.lease.stores import SELDOM

ROOM = Path(lease.__file__).parent
MOST_TOLD = 6
MOST_ENTERED = 26


def told() -> list[str]:
    """Return the modules of the docstring, in their order."""
    return re.findall(r"^    ([a-z_.]+)  +\S", lease.__doc__ or "", re.MULTILINE)


@contextmanager
def entered() -> Iterator[list[str]]:
    """Give the modules that this thread enters during the block, each once, in the order in which it does."""
    modules: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(ROOM):
            module = ".".join(file.relative_to(ROOM).with_suffix("").parts)
            if module not in modules:
                modules.append(module)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield modules
    finally:
        sys.setprofile(before)


def test_a_hold_passes_the_files_that_the_docstring_names_in_their_order(database_url: str) -> None:
    with LeaseClient(database_url, timing=SELDOM) as client:
        warm(client)
        with entered() as modules, client.hold("a"):
            pass
    assert len(told()) == MOST_TOLD
    assert [module for module in modules if module in told()] == told()
    assert len(modules) <= MOST_ENTERED
