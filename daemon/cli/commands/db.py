"""`leased db`: the migrations."""

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from lease.database.address import describe, parse_address, schema_in
from lease.database.backend import backend_of

from ...recovery.restoring import prepare_restored
from ...service.settings import read_settings
from ...store import migrations
from ..ask import ask_url
from ..options import Database, Json, group
from ..screen import print_sentences, say, screen, write_json

_RESTORING = 3_600.0
"""Seconds that a restored database may take: every lease is changed, and each run that may overlap has left one."""

db = group("Create or migrate the tables, prepare a restored backup, or print the migrations as SQL.")


@dataclass(frozen=True, slots=True)
class CurrentAnswer:
    """The answer of `leased db current --json`."""

    database: str
    revision: str | None


@db.command()
def upgrade(database: Database = None) -> None:
    """Create or migrate the tables."""
    url = read_settings({"database_url": database}).database
    applied = migrations.upgrade(url)
    shown = describe(parse_address(url))
    say(screen(), f"{shown}: applied {', '.join(applied)}" if applied else f"{shown}: already up to date")


@db.command()
def current(database: Database = None, as_json: Json = False) -> None:
    """Show the schema revision of the database."""
    url = read_settings({"database_url": database}).database
    revision = migrations.current(url)
    shown = describe(parse_address(url))
    if as_json:
        write_json("db-current", CurrentAnswer(database=shown, revision=revision))
        return
    say(screen(), f"{shown}: {revision or 'no tables yet; create them with `leased db upgrade`'}")


@db.command()
def sql(
    database: Database = None,
    since: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Leave out this revision and those before it.")
    ] = None,
) -> None:
    """Print the migrations as an SQL script.

    The URL only selects the kind of database; the command does not connect to it.
    """
    url = parse_address(read_settings({"database_url": database}).database)
    sys.stdout.write(migrations.sql(backend_of(url).name, since, schema_in(url)))


@db.command(short_help="Prepare a database that was restored from a backup.")
def restored(
    by: Annotated[
        int, typer.Option(metavar="N", min=1, max=2**62, help="Raise the tokens by at least N.", show_default=False)
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Continue even if the database seems to be in use.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Prepare a database that was restored from a backup, before anything uses it.

    Raise all tokens above those granted since the backup, end all grants, and requeue running runs.
    """
    url = read_settings({"database_url": database}).database
    ask_url(url, lambda _: None)  # it is there, and answers soon
    done = ask_url(url, lambda c: prepare_restored(c, by=by, force=force), write=True, patience=_RESTORING)
    if as_json:
        write_json("db-restored", done)
        return
    put_back = f" (run {', '.join(map(str, done.runs_put_back))})" if done.runs_put_back else ""
    cancelled = f" (run {', '.join(map(str, done.runs_cancelled))})" if done.runs_cancelled else ""
    lines = (
        f"tokens raised to {done.token} for {done.leases} {'lease' if done.leases == 1 else 'leases'}; new names start there",
        f"grants ended: {len(done.grants_ended)}",
        f"running runs put back: {len(done.runs_put_back)}{put_back}",
        f"cancelled runs ended: {len(done.runs_cancelled)}{cancelled}",
        f"replicas marked as dead: {done.replicas_marked_dead}",
    )
    print_sentences(screen(), lines, style="none")
