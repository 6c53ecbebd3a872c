"""The command line of the benchmarks."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .opening import DATABASES
from .registry import KEYS

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "docs" / "internals" / "benchmarks.json"
"""The figures that the page is made of."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    only: tuple[str, ...]
    """The keys of the benchmarks, in the order of the page; none with ``--page`` alone."""
    rounds: int
    quick: bool
    large: bool
    databases: tuple[str, ...]
    postgresql: str | None
    """The URL of a server, whose user may make databases; None for one of our own."""
    json: Path
    page: bool


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Read them, or end the program with one sentence and status 2."""
    given = _parser().parse_args(arguments)
    only = tuple(key for key in KEYS if key in given.only)
    databases = (given.on,) if given.on else DATABASES
    json = given.json or KEPT
    return Options(only, given.rounds, given.quick, given.large, databases, given.database, json, given.page)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what leased can do and what that costs, beside floors and peers.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--only",
        metavar="KEY,KEY",
        type=_keys,
        default=KEYS,
        help=f"these benchmarks alone, or none: {', '.join(KEYS)}",
    )
    parser.add_argument("--rounds", type=_positive, default=3, metavar="N", help="how often each is measured (3)")
    parser.add_argument("--quick", action="store_true", help="less of everything: no figures to go by")
    parser.add_argument("--large", action="store_true", help="also the sizes that take an hour")
    parser.add_argument("--on", choices=DATABASES, help="this kind of database alone")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server to use instead of one of our own")
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        help=f"where the figures are kept: parts that are not measured stay as they are ({KEPT.relative_to(ROOT)})",
    )
    parser.add_argument(
        "--page", action="store_true", help="write docs/internals/benchmarks.md and its pictures of the figures"
    )
    return parser


def _keys(text: str) -> tuple[str, ...]:
    wanted = () if text == "none" else tuple(text.split(","))
    for key in wanted:
        if key not in KEYS:
            raise argparse.ArgumentTypeError(f"there is no benchmark {key!r}, only {', '.join(KEYS)}")
    return wanted


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
