"""The address of each page in the table, dialogs too, on a database of the shop."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import make_url

from daemon.web.pages.links import retire_path, schedule_path
from daemon.web.pages.page import Page
from daemon.web.pages.routes import DIALOGS, PAGES

ALL: Sequence[Page] = (*PAGES, *(dialog.page for dialog in DIALOGS))
NAMES = [page.name for page in ALL]
BY_NAME = {page.name: page for page in ALL}
OF_SCHEDULE = "/schedules/{application}/{name}"
_FAILED, _RUNNING = (
    f"SELECT max(id) FROM run WHERE schedule = '{name}' AND state = '{state}'"
    for name, state in (("sync-erp", "failed"), ("daily-full-sync", "running"))
)
_RUNS = {"dialog_cancel": (_RUNNING,), "dialog_retry": (_FAILED,)}


def addresses(url: str, page: Page) -> list[str]:
    """Return the addresses of a page, without the slash before them: of a run, one that failed and one that works."""
    with closing(sqlite3.connect(make_url(url).database or "")) as database:
        ids = [database.execute(query).fetchone()[0] for query in _RUNS.get(page.name, (_FAILED, _RUNNING))]
    return filled(page, "newsletter-digest" if page.name == "dialog_resume" else "sync-erp", ids)


def filled(page: Page, schedule: str, run_ids: Sequence[int], application: str = "shop") -> list[str]:
    """Return the addresses of a page for this schedule or these runs, without the slash before them."""
    path = page.path.replace(OF_SCHEDULE, f"/{schedule_path(application, schedule)}").removeprefix("/")
    path = path.replace("fleet/{application}/retire", retire_path(application))
    paths = [path.replace("{run_id}", str(run_id)) for run_id in run_ids] if "{run_id}" in path else [path]
    unknown = [path for path in paths if re.search(r"\{\w+\}", path)]
    assert unknown == [], "say what stands there"
    return paths
