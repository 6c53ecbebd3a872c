"""The entry point of a check: `python -P -m daemon.service.outside.check_main`.

It reads what to load from stdin and answers on stdout, both as JSON. What FILE prints as it is loaded goes to stderr.
"""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict

from sqlalchemy import URL

from lease.database.address import describe, parse_address, place_of, schema_in
from lease.database.backend import backend_of
from lease.errors import LeaseError

from ...definitions.application import Application
from ...errors import DaemonError
from ...scheduling.deploys.bring import look
from ...store.migrations import SchemaTooOld, TablesMissing
from ...store.migrations.state import opened_for_reading, refuse_other_than_newest, revision_of
from ...store.views.defined import Remaining, read_remaining
from ...text import counted, when
from ..settings import Settings, read_settings
from .descriptors import refuse_more_than_fit
from .file_check import CheckedFile, load_with_settings


def main() -> int:
    """Load FILE and its settings, ask the database whether a replica could start with them, and answer with the digest of
    its definitions, or the problem.
    """
    if not (text := sys.stdin.read()):
        return 1  # whoever asks has died; so below
    order = json.loads(text)
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        try:
            application = load_with_settings(order["file"], order["flags"])
            settings = read_settings(order["flags"], application.settings, source=order["file"])
            refuse_more_than_fit(application, settings.concurrency)
            revised = application.revised(settings.revision)
            _refuse_what_cannot_start(revised, settings.database)
            warnings = []
            if (before := order.get("before")) is not None:
                url = Settings.model_validate(before["settings"]).database
                warnings = what_it_means(before["application"], url, revised.name, settings.database)
            answer = {**asdict(CheckedFile.of(revised, settings)), "warnings": warnings}
        except (DaemonError, LeaseError) as error:
            problem, *more = [" ".join(str(one).split()) for one in (error, *getattr(error, "more", ()))]
            answer = {"problem": problem, "more": more}
        json.dump(answer, answers)
    return 0


def _refuse_what_cannot_start(application: Application, url: str) -> None:
    """Raise what a replica with these definitions would end with: its database is away, has the tables of
    another version of leased, or knows their revision for other definitions.
    """
    with opened_for_reading(url) as connection:
        if connection is None:
            return  # a file that the start makes
        try:
            refuse_other_than_newest(revision_of(connection), url)
        except (TablesMissing, SchemaTooOld):
            if backend_of(connection).is_embedded:
                return  # the start migrates it
            raise
        order, _ = look(connection, application, None)
        order.refuse_taken(application.name, application.digest, application.revision)


def what_it_means(before: str, url_before: str, application: str, url: str) -> list[str]:
    """Return a sentence about each: what changes, what is left of the application ``before``, and what is due where the
    replicas go; none if they go where they were.
    """
    here, there = parse_address(url_before), parse_address(url)
    moves = (place_of(here), schema_in(here)) != (place_of(there), schema_in(there))
    if not moves and before == application:
        return []
    changes = []
    if before != application:
        changes.append(f'FILE now defines the application "{application}" instead of "{before}"')
    if moves:
        changes.append(f"the database is now {_shown(there)} instead of {_shown(here)}")
    return [" and ".join(changes), _left(before, here, moves=moves), _due(application, there)]


def _left(application: str, here: URL, *, moves: bool) -> str:
    of = f'of "{application}" in {_shown(here)}'
    try:
        left = _read_remaining(here, application)
    except (DaemonError, LeaseError) as error:
        return f"what is left {of} is unknown: {' '.join(str(error).split())}"
    if left is None or left == Remaining(0, 0, 0, None, 0, 0):
        return f"nothing is left {of}"
    remedy = "" if moves else f" To end it, use `leased retire --application {application}`."
    return (
        f"what is left {of}: {counted(left.schedules, 'schedule')} ({left.paused:,} paused), {left.running:,} running and "
        f"{left.waiting:,} waiting runs, and the history. When these replicas have drained, none of its schedules "
        f"run unless other replicas run them.{remedy}"
    )


def _due(application: str, there: URL) -> str:
    try:
        found = _read_remaining(there, application)
    except TablesMissing:
        found = None
    except (DaemonError, LeaseError) as error:
        return f'it is unknown what of "{application}" is due in {_shown(there)}: {" ".join(str(error).split())}'
    if found is None or found.schedules == 0:
        return (
            f'"{application}" has no schedule in {_shown(there)} yet: each starts now without missed runs, '
            "pause, history or idempotency keys"
        )
    overdue = f"; {found.overdue:,} of them have been due since {when(found.due_since)}, and catch up"
    return (
        f'"{application}" has {counted(found.schedules, "schedule")} ({found.paused:,} paused) and {found.waiting:,} waiting '
        f"runs in {_shown(there)}, which continue{overdue if found.overdue else '; none is overdue'}"
    )


def _read_remaining(address: URL, application: str) -> Remaining | None:
    with opened_for_reading(address) as connection:
        if connection is None:
            return None
        refuse_other_than_newest(revision_of(connection), address)
        return read_remaining(connection, application)


def _shown(address: URL) -> str:
    schema, plain = schema_in(address), describe(address)
    return plain if schema is None or "schema=" in plain else f"{plain}, schema {schema}"


if __name__ == "__main__":
    sys.exit(main())
