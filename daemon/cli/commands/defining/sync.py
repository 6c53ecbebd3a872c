"""`leased sync`: the write of definitions to the database, or a list of what it would change."""

from dataclasses import fields
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....definitions.application import Application
from ....definitions.sources.load import load
from ....operations.requester import requester
from ....scheduling.bring import stage, take_on_top
from ....scheduling.sync import SyncReport, plan_outgoing
from ....scheduling.sync import sync as write_definitions
from ....service.settings import read_settings
from ....text import clean
from ...ask import ask_url, prepare
from ...options import Database, File, Json
from ...screen import screen, write_json


def sync(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Make them current, also where replicas of others are at work.")
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write the definitions in FILE to the database; other applications are not touched.

    Beside replicas that run other definitions they are only staged: they are current from the first
    replica of their own on, or by --take-over.
    """
    application = load(file)
    url = read_settings({"database_url": database}, application.settings).database
    if dry_run:
        report, staged = ask_url(url, lambda connection: write_definitions(connection, application, dry_run=True)), None
    else:
        prepare(url)
        while ask_url(url, lambda connection: plan_outgoing(connection, application), write=True):
            pass
        report, staged = ask_url(url, lambda connection: _brought(connection, application, take_over), write=True)
    changes = [(field.name, name) for field in fields(report) for name in getattr(report, field.name)]
    if as_json:
        items = [{"schedule": name, "change": change} for change, name in changes]
        facts = {"application": application.name, "dry_run": dry_run, "staged": staged is not None, "items": items}
        write_json("sync", facts)
        return
    console = screen()
    if staged is not None:
        console.print(clean(staged), soft_wrap=True)
    would_be = "" if staged is None and not dry_run else "would be "
    for change, name in changes:
        if change != "unchanged":
            console.print(clean(_told(change, name, would_be)), soft_wrap=True)
    left = len(report.unchanged)
    if left:
        console.print(f"unchanged: {left} {'schedule' if left == 1 else 'schedules'}")


def _told(change: str, name: str, would_be: str) -> str:
    if change == "unreadable":
        return f"{name}: what was due has no run, for its stored definition cannot be read"
    return f"{would_be}{change}: {name}"


def _brought(connection: Connection, application: Application, take_over: bool) -> tuple[SyncReport, str | None]:
    """Return what the definitions changed; where they were staged, what they would, and a sentence on that."""
    put = take_on_top if take_over else stage
    brought = put(connection, application, by=requester())
    if brought.report is not None:
        return brought.report, None
    own, ruler = brought.order.latest(application.digest), brought.order.ruler
    number, ruling = own.number if own else 0, ruler.number if ruler else 0
    said = (
        f"staged as generation {number}, because replicas of generation {ruling} are at work: it is current from its "
        "first ready replica on, or at once with --take-over"
    )
    return write_definitions(connection, application, dry_run=True), said
