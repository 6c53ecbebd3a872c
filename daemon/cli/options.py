"""Options that several commands share."""

from typing import Annotated

import typer

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="postgresql://… or sqlite:///file.db; else LEASED_DATABASE_URL, else sqlite:///leased.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Application = Annotated[
    str | None, typer.Option("--application", metavar="NAME", help="Only this application, where there are several.")
]
File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="schedules.py, package.module:schedules, or a .toml file.", show_default=False),
]
