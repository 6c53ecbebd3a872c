"""The page about other schedulers: each setting that it names is one of ours, with a value that it may have."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from daemon.definitions.schedule import Job, Schedule
from daemon.definitions.sources.load import load
from daemon.testing import run_once
from tests.docs.pages import ROOT, blocks, run_program

PAGE = ROOT / "docs" / "how-to" / "migrate" / "from-apscheduler-celery-beat-kubernetes.md"
ROW = re.compile(r"^\| (?P<theirs>.+?) \| (?P<ours>.+) \|$", re.MULTILINE)
SETTINGS = sorted(
    {span for row in ROW.finditer(PAGE.read_text()) for span in re.findall(r"`(\w+ = [^`]+)`", row["ours"])}
)
BEAT, DJANGO = blocks(PAGE, "python")
TIMINGS = ("cron", "every", "at")

MIGRATE_AND_RUN = """
from django.core.management import call_command
from daemon.testing import run_once

call_command("migrate", verbosity=0)
print(run_once(schedules, "count-sessions", at="2026-06-01T00:00:00Z").state)
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_taken_as_the_page_has_it(setting: str, tmp_path: Path) -> None:
    name = setting.partition(" = ")[0]
    of_job = setting if name not in Schedule.settings() else ""
    assert of_job == "" or name in Job.settings()
    of_schedule = [] if of_job else [setting]
    if name not in TIMINGS:
        of_schedule.append('cron = "0 2 * * *"')
    if name == "lock" and "slots" in setting:
        of_schedule.append('overlap = "allow"')
    job = ", ".join(filter(None, ('name = "job"', 'command = "true"', of_job)))
    file = tmp_path / "shop.toml"
    file.write_text("\n".join(['application = "shop"', "[schedules.nightly]", *of_schedule, f"jobs = [{{ {job} }}]"]))
    assert load(file).schedules


def test_the_program_that_replaces_beat_sends_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    tasks = ModuleType("shop.tasks")
    tasks.export = SimpleNamespace(apply_async=lambda **given: sent.append(given))  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.tasks", tasks)
    names: dict[str, Any] = {"__name__": "schedules"}
    exec(BEAT, names)  # noqa: S102 - of our own page
    run = run_once(names["schedules"], "send-export", at="2026-06-01T00:00:00Z")
    assert run.state == "succeeded"
    assert [(one["args"], bool(one["task_id"])) for one in sent] == [(["2026-06-01"], True)]


@pytest.mark.usefixtures("processes")
def test_a_function_uses_the_models_of_django(tmp_path: Path) -> None:
    pytest.importorskip("django", reason="pip install django: the page's program needs it")
    (tmp_path / "shop").mkdir()
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "shop.db")}
    settings = f"INSTALLED_APPS = ['django.contrib.sessions']\nDATABASES = {{'default': {database}}}\n"
    (tmp_path / "shop" / "settings.py").write_text(settings)
    done = run_program(f"{DJANGO}\n{MIGRATE_AND_RUN}", tmp_path)
    assert done.stdout == "0 sessions\nsucceeded\n", done.stderr


def test_the_settings_are_found() -> None:
    assert len(SETTINGS) > 20
