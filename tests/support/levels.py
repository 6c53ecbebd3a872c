"""What `make test` runs, what `make test-all` adds, which is marked `extended`, and what only `make proof` runs.

A pytest plugin. (The other one, `fast`, looks at what a test needs, and runs extended tests too.) A test is extended if
it says so, with `pytest.mark.extended`, or if another is enough:

- its twin on the other kind of database. `make test` runs a test on both kinds only where SQL is decided, in the
  rooms of `ON_BOTH`; elsewhere on one of them, chosen by the test's name: of each four one on PostgreSQL, which takes
  more than twice as long. `make test-all` adds the twins of `lease/`, which talks to each kind in its own way. All
  others say the same once more, and only `make proof` runs them;
- the same test with other parameters, where it is marked `pytest.mark.sampled(2)`: `make test` runs two of them on each
  kind of database, chosen by their names.

`pytest.mark.on_both` is for a test elsewhere that both kinds must pass all the same: in `daemon/operations`, where no
other one runs the lines of a statement on that kind.

`pytest.mark.proof` is for a story that a proof of `tests/proofs.py` tells at length, and for the rest of a product.

`--all` runs what only `make proof` does, and so do `--fast` and a node id on the command line. `--part 2/4` keeps the
second of four parts.
"""

import functools
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

import pytest

from tests.support.databases import KINDS, may_have_server

TESTS = Path(__file__).parents[1]
ON_BOTH = tuple(
    TESTS / room
    for room in (
        "daemon/pruning",
        "daemon/recovery",
        "daemon/store",
        "lease/database",
        "lease/fences",
        "lease/test_statements.py",
        "lease/test_store_conformance.py",
        "lease/test_tables.py",
        "model",
    )
)
"""Where each statement is tried on each kind of database."""
OF_THE_LIBRARY = TESTS / "lease"
IN_MAKE_TEST = pytest.StashKey[dict[str, bool]]()
"""By its node id, whether a test that was collected, before -m and -k, is part of `make test`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="K/N", type=_part, help="of the tests collected, the K-th of N parts")
    parser.addoption("--all", action="store_true", dest="every", help="also what only `make proof` runs")


@pytest.hookimpl(tryfirst=True)  # before -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    told = getattr(config, "workerinput", {}).get("postgres")
    twins = set[pytest.Item]()
    if may_have_server() if told is None else not isinstance(told, str):
        twins.update(_repeated_on_the_other_kind(items))
    for item in {*twins, *(item for item in items if item.get_closest_marker("proof"))}:
        item.add_marker(pytest.mark.extended)
    for item in _beyond_their_samples(items):
        item.add_marker(pytest.mark.extended)
    config.stash[IN_MAKE_TEST] = {item.nodeid: item.get_closest_marker("extended") is None for item in items}
    if not (config.getoption("every") or config.getoption("fast") or any("::" in one for one in config.args)):
        of_proofs = {item for item in twins if not item.path.is_relative_to(OF_THE_LIBRARY)}
        of_proofs.update(item for item in items if item.get_closest_marker("proof"))
        _keep(config, items, lambda item: item not in of_proofs)
    if given := config.getoption("part"):
        part, parts = given
        _keep(config, items, lambda item: crc32(item.nodeid.encode()) % parts == part - 1)


def _keep(config: pytest.Config, items: list[pytest.Item], belongs: Callable[[pytest.Item], bool]) -> None:
    others = [item for item in items if not belongs(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if belongs(item)]


def _repeated_on_the_other_kind(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    nodes = {item.nodeid for item in items}
    for item in items:
        test, _, parameters = item.nodeid.partition("[")
        kind = _kind_of(item)
        if kind is None or item.get_closest_marker("on_both") or _decides_sql(item.path):
            continue
        other = KINDS[1 - KINDS.index(kind)]
        twin = f"{test}[{'-'.join(other if one == kind else one for one in parameters.rstrip(']').split('-'))}]"
        chosen = "postgres" if crc32(test.encode()) % 4 == 1 else "sqlite"
        if twin in nodes and chosen != kind:
            yield item


@functools.cache
def _decides_sql(file: Path) -> bool:
    return any(file.is_relative_to(room) for room in ON_BOTH)


def _kind_of(item: pytest.Item) -> str | None:
    """Return the kind of database that is a parameter of the test."""
    given = item.nodeid.partition("[")[2].rstrip("]").split("-")
    return next((kind for kind in KINDS if kind in given), None)


def _beyond_their_samples(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    samples = defaultdict[tuple[str, str | None], list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("extended"):
            samples[item.nodeid.partition("[")[0], _kind_of(item)].append(item)
    for same in samples.values():
        marker = same[0].get_closest_marker("sampled")
        assert marker is not None
        yield from sorted(same, key=lambda item: crc32(item.nodeid.encode()))[marker.args[0] :]


def _part(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise ArgumentTypeError(f"{text!r} is not a part, such as 2/4")
    return int(part), int(parts)
