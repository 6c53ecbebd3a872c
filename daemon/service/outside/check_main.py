"""The entry point of a check: `python -P -m daemon.service.outside.check_main`.

It reads what to load from stdin and answers on stdout, both as JSON. What FILE prints as it is
loaded goes to stderr.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from lease.database.backend import backend_of
from lease.errors import LeaseError

from ...definitions.application import Application
from ...errors import DaemonError
from ...scheduling.deploys.bring import look
from ...store.migrations.opening import opened_for_reading
from ...store.migrations.state import SchemaTooOld, TablesMissing, refuse_other_than_newest, revision_of
from ..load_with_settings import load_with_settings
from ..settings import Settings, read_settings
from .descriptors import refuse_more_than_fit
from .elsewhere import what_it_means
from .file_check import CheckedFile

FAILED = 1


def main() -> int:
    """Load FILE and its settings, ask the database whether a replica could start with them, and answer with the digest of
    its definitions, or the problem.
    """
    if not (text := sys.stdin.read()):
        return FAILED  # whoever asks has died; so below
    order = json.loads(text)
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        try:
            application = load_with_settings(order["file"], order["flags"])
            settings = read_settings(order["flags"], application.settings, source=order["file"])
            refuse_more_than_fit(application, settings.concurrency)
            revised = application.revised(settings.revision)
            _refuse_what_cannot_start(revised, settings.database)
            answer = {**asdict(CheckedFile.of(revised, settings)), "warnings": _elsewhere(order, revised, settings)}
        except (DaemonError, LeaseError) as error:
            problem, *more = [" ".join(str(one).split()) for one in (error, *getattr(error, "more", ()))]
            answer = {"problem": problem, "more": more}
        json.dump(answer, answers)
    return 0


def _elsewhere(order: Mapping[str, Any], application: Application, settings: Settings) -> list[str]:
    before = order.get("before")
    if before is None:
        return []
    url = Settings.model_validate(before["settings"]).database
    return what_it_means(before["application"], url, application.name, settings.database)


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


if __name__ == "__main__":
    sys.exit(main())
