"""The address of each page in the table, on a database of the shop."""

import re
import sqlite3
from contextlib import closing

from sqlalchemy import make_url

from daemon.web.pages.page import Page
from daemon.web.pages.routes import DIALOGS, PAGES

QUERIES = {
    "failed": "SELECT max(id) FROM run WHERE schedule = 'sync-erp' AND state = 'failed'",
    "running": "SELECT max(id) FROM run WHERE schedule = 'daily-full-sync' AND state = 'running'",
}


def addresses(url: str, page: Page) -> list[str]:
    """Return the addresses of a page, without the slash before them: of a run, one that failed and one that works."""
    path = page.path.removeprefix("/").replace("{application}", "shop").replace("{name}", "sync-erp")
    if "{run_id}" not in path:
        return [_filled(path)]
    with closing(sqlite3.connect(make_url(url).database or "")) as database:
        ids = [database.execute(query).fetchone()[0] for query in QUERIES.values()]
    return [_filled(path.replace("{run_id}", str(run_id))) for run_id in ids]


def _filled(path: str) -> str:
    """Return it; a part of a path that nobody has filled in here is an error."""
    assert not re.search(r"[{}]", path), f"say what {path} stands for"
    return path


ALL = [*PAGES, *(dialog.page for dialog in DIALOGS)]
NAMES = [page.name for page in ALL]
BY_NAME = {page.name: page for page in ALL}
