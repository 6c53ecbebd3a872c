"""The author of an act, and the reason, as the options `--by` and `--why` give them."""

from typing import Annotated

import typer

from ..operations.requester import recordable, requester

Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason, which is recorded.")]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who does it; by default the user and the host.")]


def author(by: str | None, why: str | None) -> str:
    """Return who acts; raises `NotRecordable` for a name or a reason that cannot be kept."""
    if why is not None:
        recordable("--why", why)
    return recordable("--by", by) if by is not None else requester()
