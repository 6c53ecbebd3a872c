"""What `make test` runs, and what `make test-all` adds, which is marked `extended`.

A pytest plugin. A test is extended if it says so, with `pytest.mark.extended`, or if its twin on the other kind of
database is enough: `make test` runs a test on both kinds only where SQL is decided, in the rooms of `ON_BOTH`;
elsewhere on one of them, chosen by the test's name. `--part 2/4` keeps the second of four parts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

import pytest

TESTS = Path(__file__).parents[1]
KINDS = ("sqlite", "postgres")
ON_BOTH = tuple(
    TESTS / room
    for room in (
        "daemon/operations",
        "daemon/pruning",
        "daemon/recovery",
        "daemon/scheduling",
        "daemon/store",
        "lease",
        "model",
    )
)
"""Where each statement is tried on each kind of database."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="K/N", type=_part, help="of the tests collected, the K-th of N parts")


@pytest.hookimpl(tryfirst=True)  # before -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not isinstance(getattr(config, "workerinput", {}).get("postgres"), str):  # there is a server, or nobody asked
        for item in _told_elsewhere(items):
            item.add_marker(pytest.mark.extended)
    if given := config.getoption("part"):
        part, parts = given
        kept = [item for item in items if crc32(item.nodeid.encode()) % parts == part - 1]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def _told_elsewhere(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    nodes = {item.nodeid for item in items}
    for item in items:
        test, _, parameters = item.nodeid.partition("[")
        given = parameters.rstrip("]").split("-")
        kind = next((kind for kind in KINDS if kind in given), None)
        if kind is None or any(item.path.is_relative_to(room) for room in ON_BOTH):
            continue
        other = KINDS[1 - KINDS.index(kind)]
        twin = f"{test}[{'-'.join(other if one == kind else one for one in given)}]"
        if twin in nodes and KINDS[crc32(test.encode()) % 2] != kind:
            yield item


def _part(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise ValueError(f"{text!r} is no part, such as 2/4")
    return int(part), int(parts)
