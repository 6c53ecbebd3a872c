"""The options that several commands share."""

from typing import Annotated

import typer

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="postgresql://… or sqlite:///file.db; by default LEASED_DATABASE_URL, otherwise sqlite:///leased.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Application = Annotated[
    str | None, typer.Option("--application", metavar="NAME", help="The application, where there are several.")
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
        help="Which definitions are newer: a higher one supersedes. By default the revision of FILE.",
        show_default=False,
    ),
]
