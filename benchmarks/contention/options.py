"""The command line of the benchmark."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..opening import DATABASES


@dataclass(frozen=True, slots=True)
class Size:
    """The amount that is measured."""

    schedules: int
    replicas: tuple[int, ...]
    rounds: int
    places: int
    """The runs that a replica claims at once, and executes at the same time."""
    finished: int
    """Finished runs in the table, for flatness."""
    seconds: float | None
    """A round that would end later is not begun; the first always is. None: all rounds are."""


FULL = Size(schedules=1000, replicas=(1, 2, 4, 8), rounds=3, places=10, finished=200_000, seconds=110.0)
QUICK = Size(schedules=100, replicas=(1, 2, 4), rounds=1, places=10, finished=10_000, seconds=15.0)


@dataclass(frozen=True, slots=True)
class Options:
    """The options that were given."""

    size: Size
    quick: bool
    databases: tuple[str, ...]
    postgresql: str | None
    """The URL of a server, whose user may make databases; None for one of our own."""
    json: Path | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Read them, or end the program with one sentence and status 2."""
    parser = _parser()
    given = parser.parse_args(arguments)
    base = QUICK if given.quick else FULL
    size = Size(
        schedules=given.schedules or base.schedules,
        replicas=given.replicas or base.replicas,
        rounds=given.rounds or base.rounds,
        places=given.places or base.places,
        finished=given.finished or base.finished,
        seconds=given.seconds or (None if given.rounds else base.seconds),
    )
    if size.schedules < 2 * size.places or size.finished < size.schedules:
        parser.error("--schedules must be at least twice --places, and --finished at least --schedules")
    if given.database and not given.database.startswith(("postgresql", "postgres:")):
        parser.error("--database takes the URL of a PostgreSQL server (postgresql://…); SQLite gets files of its own")
    if given.json and not given.json.absolute().parent.is_dir():
        parser.error(f"--json: the folder of {given.json} is not there")
    databases = (given.only,) if given.only else DATABASES
    return Options(size, given.quick, databases, given.database, given.json)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m benchmarks.contention",
        description="Claim contention: how fast replicas, all at once, claim and end runs that are all due.",
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="a small one, in less than 20 seconds")
    parser.add_argument("--only", choices=DATABASES, help="this database alone")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server to use instead of one of our own")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    parser.add_argument("--schedules", type=_positive, metavar="N", help=f"schedules that are due ({FULL.schedules})")
    parser.add_argument("--replicas", type=_replicas, metavar="N,N", help="numbers of replicas (1,2,4,8)")
    parser.add_argument(
        "--rounds", type=_positive, metavar="N", help=f"how often (up to {FULL.rounds}, as time allows)"
    )
    parser.add_argument("--places", type=_positive, metavar="N", help=f"runs in one claim ({FULL.places})")
    parser.add_argument(
        "--finished", type=_positive, metavar="N", help=f"finished runs, for flatness ({FULL.finished})"
    )
    parser.add_argument(
        "--seconds", type=_positive, metavar="N", help=f"begin no round that ends later ({FULL.seconds:g})"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _replicas(text: str) -> tuple[int, ...]:
    numbers = tuple(sorted({_positive(part) for part in text.split(",")}))
    if numbers[0] != 1 or numbers[-1] > 32:
        raise argparse.ArgumentTypeError(f"{text!r} must have 1, the yardstick of the others, and at most 32")
    return numbers
