"""The options that several commands share, such as who acts and why."""

from typing import Annotated, get_args

import typer

from ..operations.requester import recordable, requester
from ..states import RunState
from .failures import Misused

RUN_STATES: tuple[RunState, ...] = get_args(RunState)
MOST = 2**63 - 1


def run_state(text: str | None) -> RunState | None:
    """Return the state of a run by its name; raises `Misused` for what no run is ever in."""
    if text is not None and text not in RUN_STATES:
        raise Misused(f'there is no state "{text}"; use one of {", ".join(RUN_STATES)}')
    return text


def run_number(text: str) -> int:
    """Return the number of a run; raises `Misused` for what is none."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise Misused(f'"{text}" is not the number of a run; `leased runs` lists them')
    return int(text)


Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="postgresql://… or sqlite:///file.db; by default LEASED_DATABASE_URL, otherwise sqlite:///leased.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show tokens, holders and digests too.")]
Utc = Annotated[bool, typer.Option("--utc", help="Show times in full, in UTC.")]
Application = Annotated[
    str | None, typer.Option("--application", metavar="NAME", help="The application; needed if there are several.")
]
RunNumber = Annotated[
    int, typer.Argument(metavar="RUN", parser=run_number, help="The number of the run.", show_default=False)
]
File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="schedules.py, package.module:schedules, or a .toml file.", show_default=False),
]
Revision = Annotated[
    str | None,
    typer.Option(
        "--revision",
        metavar="N",
        help="Orders definitions: a higher revision supersedes a lower one. By default the revision in FILE.",
        show_default=False,
    ),
]


Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Reason; it is recorded.")]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who is doing this; by default USER@HOST.")]


def author(by: str | None, why: str | None) -> str:
    """Return who acts; raises `NotRecordable` for a name or a reason that cannot be kept."""
    if why is not None:
        recordable("--why", why)
    return recordable("--by", by) if by is not None else requester()
