"""`leased sync`: the write of definitions to the database, or a list of what it would change."""

from dataclasses import fields
from typing import Annotated

import typer

from ...definitions.sources.load import load
from ...scheduling.sync import sync as write_definitions
from ...service.settings import read_settings
from ...text import clean
from ..ask import ask_url, prepare
from ..options import Database, File, Json
from ..screen import screen, write_json


def sync(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write the definitions in FILE to the database; other applications are not touched."""
    application = load(file)
    url = read_settings({"database_url": database}, application.settings).database
    if not dry_run:
        prepare(url)
    report = ask_url(
        url, lambda connection: write_definitions(connection, application, dry_run=dry_run), write=not dry_run
    )
    changes = [(field.name, name) for field in fields(report) for name in getattr(report, field.name)]
    if as_json:
        items = [{"schedule": name, "change": change} for change, name in changes]
        write_json("sync", {"application": application.name, "dry_run": dry_run, "items": items})
        return
    console = screen()
    for change, name in changes:
        if change != "unchanged":
            console.print(clean(f"{'would be ' if dry_run else ''}{change}: {name}"), soft_wrap=True)
    left = len(report.unchanged)
    if left:
        console.print(f"unchanged: {left} {'schedule' if left == 1 else 'schedules'}")
