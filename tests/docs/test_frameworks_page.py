"""The page about Django, FastAPI and Celery: its programs do what it says, where the frameworks are installed."""

import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

import lease.sync
from tests.docs.pages import ROOT, blocks, run_program, started
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.usefixtures("processes")

PAGE = ROOT / "docs" / "how-to" / "locks" / "in-django-fastapi-celery.md"
LOCKS, VIEW, COMMAND, FASTAPI, CELERY = blocks(PAGE, "python")
DJANGO = """
import os, sys

import django
from django.conf import settings
from django.core.management import call_command
from django.test import RequestFactory

database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db", "ATOMIC_REQUESTS": True}
settings.configure(INSTALLED_APPS=["shop"], DATABASES={"default": database}, USE_TZ=True)
django.setup()
from shop.views import charge

call_command("export")
answer = charge(RequestFactory().get("/"), customer=7)
print(answer.status_code, answer.content.decode())
"""


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if find_spec(name) is None]
    return pytest.mark.skipif(missing != [], reason=f"pip install {' '.join(missing)}: the page's program needs it")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the page's files, and a database for its rows and leases."""
    (tmp_path / "shop" / "management" / "commands").mkdir(parents=True)
    for part in ("", "management", "management/commands"):
        (tmp_path / "shop" / part / "__init__.py").touch()
    (tmp_path / "shop" / "locks.py").write_text(LOCKS)
    (tmp_path / "shop" / "views.py").write_text(VIEW)
    (tmp_path / "shop" / "management" / "commands" / "export.py").write_text(COMMAND)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE charge (customer integer)")
        database.execute("CREATE TABLE export (day text PRIMARY KEY)")
    monkeypatch.setenv("LEASED_DATABASE_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    return tmp_path


@contextmanager
def held_by_another(folder: Path, *names: str) -> Iterator[None]:
    with lease.sync.LeaseClient(f"sqlite:///{folder / 'shop.db'}") as client:
        for name in names:
            client.acquire(name)
        yield


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "shop.db", timeout=LIMIT)) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@needs("django")
def test_a_view_and_a_command_of_django_work_under_a_lease(folder: Path) -> None:
    done = run_program(DJANGO, folder)
    assert (done.stdout, done.stderr) == ("exported\n200 charged\n", "")
    assert (rows(folder, "charge"), rows(folder, "export")) == (1, 1)


@needs("django")
def test_a_view_and_a_command_of_django_write_nothing_while_another_holds_their_leases(folder: Path) -> None:
    (folder / "shop" / "views.py").write_text(VIEW.replace('wait="5s"', 'wait="0.1s"'))
    with held_by_another(folder, "nightly-export", "charge/7"):
        done = run_program(DJANGO, folder)
    shown = "skipped: another host is exporting\n409 another request is working on this customer\n"
    assert (done.stdout, done.stderr) == (shown, "")
    assert (rows(folder, "charge"), rows(folder, "export")) == (0, 0)


def posted(address: str) -> int:
    """Return the status of the answer."""
    try:
        with urllib.request.urlopen(address, data=b"", timeout=LIMIT) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


@needs("fastapi", "uvicorn", "aiosqlite")
def test_an_endpoint_of_fastapi_works_under_a_lease(folder: Path) -> None:
    (folder / "app.py").write_text(FASTAPI.replace('wait="5s"', 'wait="0.1s"'))
    words = ("-m", "uvicorn", "app:app", "--port", "0")
    with started(words, folder, DATABASE_URL="sqlite+aiosqlite:///shop.db") as (_, log):
        wait_until(lambda: "running on" in log.read_text(), "it serves")
        found = re.search(r"running on (http://\S+)", log.read_text())
        assert found
        assert posted(f"{found[1]}/charge/7") == 200
        with held_by_another(folder, "charge/7"):
            assert posted(f"{found[1]}/charge/7") == 409
    assert rows(folder, "charge") == 1


@pytest.mark.extended
@needs("celery")
def test_a_task_of_celery_works_under_a_lease_in_a_forked_worker(folder: Path) -> None:
    for name in ("messages", "done"):
        (folder / name).mkdir()
    carried = (
        "app.conf.broker_transport_options = {'data_folder_in': 'messages', 'data_folder_out': 'messages', "
        "'processed_folder': 'done'}\n"
    )
    (folder / "tasks.py").write_text(CELERY.replace("countdown=60", "countdown=1") + carried)
    settings = {"DATABASE_URL": "sqlite:///shop.db", "BROKER_URL": "filesystem://"}
    words = ("-m", "celery", "-A", "tasks", "worker", "--pool=prefork", "--concurrency=2", "--loglevel=info")
    send = "import tasks; [tasks.export.delay('2026-06-01') for _ in range(2)]"
    with started(words, folder, **settings) as (_, log):
        wait_until(lambda: " ready." in log.read_text(), "the worker is ready")
        with held_by_another(folder, "export/2026-06-01"):
            with pytest.MonkeyPatch.context() as patch:
                for name, value in settings.items():
                    patch.setenv(name, value)
                assert run_program(send, folder).returncode == 0
            wait_until(lambda: "Retry in 1s" in log.read_text(), "the task is put back")
            assert rows(folder, "export") == 0
        wait_until(lambda: log.read_text().count("succeeded in") == 2, "both tasks have ended")
    assert rows(folder, "export") == 1
