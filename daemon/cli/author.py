"""The author of an act, and the reason, as the options `--by` and `--why` give them."""

from typing import Annotated

import typer

from ..operations.requester import recordable, requester

Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Reason; it is recorded.")]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who is doing this; by default USER@HOST.")]


def author(by: str | None, why: str | None) -> str:
    """Return who acts; raises `NotRecordable` for a name or a reason that cannot be kept."""
    if why is not None:
        recordable("--why", why)
    return recordable("--by", by) if by is not None else requester()
