"""`leased db`: the migrations."""

import sys
from typing import Annotated

import typer

from lease.database.address import describe, parse_address
from lease.database.backend import backend_of

from ...service.settings import read_settings
from ...store import migrations
from ..options import Database, Json
from ..screen import screen, write_json

db = typer.Typer(
    help="Create or migrate the tables, or print the migrations as a script.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@db.command()
def upgrade(database: Database = None) -> None:
    """Create the tables, or bring them up to date."""
    url = read_settings({"database_url": database}).database
    applied = migrations.upgrade(url)
    shown = describe(parse_address(url))
    screen().print(
        f"{shown}: applied {', '.join(applied)}" if applied else f"{shown}: already up to date", soft_wrap=True
    )


@db.command()
def current(database: Database = None, as_json: Json = False) -> None:
    """Show which revision the database is at."""
    url = read_settings({"database_url": database}).database
    revision = migrations.current(url)
    shown = describe(parse_address(url))
    if as_json:
        write_json("db-current", {"database": shown, "revision": revision})
        return
    screen().print(f"{shown}: {revision or 'no tables yet; create them with: leased db upgrade'}", soft_wrap=True)


@db.command()
def sql(
    database: Database = None,
    since: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Leave out this revision and those before it.")
    ] = None,
) -> None:
    """Print the migrations as a script.

    The URL names the kind of database; no connection is made.
    """
    url = parse_address(read_settings({"database_url": database}).database)
    sys.stdout.write(migrations.sql(backend_of(url).name, since))
