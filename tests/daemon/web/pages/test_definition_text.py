"""A stored definition as text, with what changed last in it; what TOML makes of that is stored the same."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from daemon.definitions.schedule import Schedule, write_schedule
from daemon.definitions.sources.toml_file import read_toml
from daemon.web.pages.definition import TextLine, changes, whole
from daemon.web.pages.written import written


def stored(**settings: Any) -> str:
    jobs = settings.pop("jobs", ({"name": "push", "command": "true"},))
    made = Schedule.model_validate({"name": "nightly", "cron": "0 2 * * *", **settings, "jobs": jobs})
    return json.dumps(made.canonical())


def marked(lines: list[TextLine]) -> list[str]:
    return [f"{ {'add': '+', 'del': '-', 'cut': '…'}[line.kind] } {line.text}" for line in lines if line.kind]


def test_what_was_set_before_stands_above_what_is_set_now() -> None:
    definition = stored(overlap="queue", finish_by="06:00", params={"since": "x"}, timezone="Europe/Berlin")
    found = changes(
        "nightly",
        definition,
        {
            "timing": ("every 1h30m", "cron 0 2 * * *"),
            "overlap": ("skip", "queue"),
            "finish_by": (None, "06:00"),
            "run_timeout": (90.0, None),
            "param since": ("y", "x"),
            "param gone": (1, None),
            "job push, timeout": (1800.0, None),
        },
    )
    assert marked(found) == [
        *('- every = "1h30m"', '+ cron = "0 2 * * *"', '- run_timeout = "1m30s"', '+ overlap = "queue"'),
        *('+ finish_by = "06:00"', '- since = "y"', "- gone = 1", '+ since = "x"', '- timeout = "30m"'),
    ]


def test_jobs_that_came_or_went_are_whole() -> None:
    definition = stored(jobs=({"name": "push", "command": "true"}, {"name": "new", "command": ["a", "b"]}))
    came = {"command": ["a", "b"], "isolation": "command", "retries": 0, "backoff": 10.0, "env": []}
    went = {"function": "shop:old", "isolation": "task", "retries": 2}
    given: dict[str, Any] = {f"job new, {key}": (None, value) for key, value in came.items()}
    given |= {f"job old, {key}": (value, None) for key, value in went.items()}
    text = marked(changes("nightly", definition, given))
    new, old = ['+ name = "new"', '+ command = ["a", "b"]'], ['- name = "old"', '- call = "shop:old"', "- retries = 2"]
    assert {*new, *old} <= set(text)
    assert '- name = "new"' not in text


def test_what_has_not_changed_is_folded_and_the_rest_is_cut() -> None:
    jobs = tuple({"name": f"job {number}", "command": "true" + " x" * 400 * (number == 9)} for number in range(9))
    definition = stored(jobs=jobs, description="d" * 700)
    found = changes("nightly", definition, {"job job 8, retries": (3, 0)})
    assert marked(found) == [f"… {len(whole('nightly', definition)) - 4} lines as before", "- retries = 3"]
    assert found[0].text == "[schedules.nightly]"
    assert max(len(line.text) for line in whole("nightly", definition)) < 540
    assert whole("nightly", definition)[2].text.endswith("… (716 characters)")


def test_a_change_that_shows_nowhere_is_none() -> None:
    assert changes("nightly", stored(), {"overlap": (None, "skip")}) == []


DEFINED = {
    "least": 'cron = "@daily"\njobs = [{ name = "a", command = "true" }]',
    "on request": 'on_request = true\njobs = [{ name = "a", command = ["true", "x y", "\\"\'"] }]',
    'odd \\"name\\"': 'every = "90.5s"\njobs = [{ call = "os.path:basename", name = "b", isolation = "thread" }]',
    "all": r"""
        every = 0.1234
        timezone = "Europe/Berlin"
        starts = 2026-01-01T00:00:00Z
        ends = 2027-01-01T00:00:00Z
        enabled = false
        catch_up = "all"
        start_within = "2h30m"
        overlap = "allow"
        lock = { name = "api", slots = 3 }
        priority = "high"
        on_failure = "continue"
        run_timeout = "1d2h3m4s"
        stall_after = 61.5
        exclude = ["12-25", "2026-12-24..2026-12-27", "holidays", "strikes"]
        finish_by = "06:00"
        long = { warn = "10m", emergency = 3600 }
        keep = { days = 90 }
        jitter = "7s"
        notify = [{ url_env = "OPS", on = ["run.failed"] }, { command = ["mail", "ops"] }]
        ping = { url_env = "PING", style = "sentry" }
        description = 'a "b" \c'
        tags = ["x", "ü\u202e"]
        params = { n = 1, f = 1.5, t = true, list = [1, { a = "b" }], "a b" = "\u0001\U000e0001" }
        jobs = [
            { name = "a", command = "echo 'x'; echo \"y\"", timeout = "40m", retries = 3, backoff = "1m", cwd = "/tmp" },
            { name = "b", call = "os.path:basename" },
        ]
    """,
    "others": """
        cron = "0 2 * * *"
        finish_by = "4h"
        long = false
        exclude = "holidays"
        jobs = [{ name = "a", command = "true", isolation = "process" }]
    """,
}
CALENDARS = (
    '[calendars.holidays]\ndates = ["2026-10-03", "2026-05-01..2026-05-02"]\n[calendars.strikes]\ndates = "01-01"\n'
)


def read(text: str, folder: Path) -> Schedule:
    path = folder / "schedules.toml"
    path.write_text(f'application = "shop"\n{text}')
    return read_toml(path, "schedules.toml").schedules[0]


@pytest.mark.parametrize("name", DEFINED)
def test_a_definition_is_written_as_people_would(name: str, tmp_path: Path) -> None:
    made = read(f'{CALENDARS}\n[schedules."{name}"]\n{DEFINED[name]}', tmp_path)
    stored = write_schedule(made)
    lines = written(made.name, json.loads(stored))
    assert all(line.isprintable() for line in lines)
    assert write_schedule(read("\n".join(lines), tmp_path)) == stored


def test_what_is_so_by_default_is_not_written(tmp_path: Path) -> None:
    made = read(f"[schedules.least]\n{DEFINED['least']}", tmp_path)
    assert written("nightly", json.loads(write_schedule(made))) == [
        "[schedules.nightly]",
        'cron = "@daily"',
        "",
        "[[schedules.nightly.jobs]]",
        'name = "a"',
        'command = "true"',
    ]


def test_what_may_be_secret_is_not_written(tmp_path: Path) -> None:
    secret = "hunter2"
    text = f"""[schedules.a]
        every = "1h"
        params = {{ key = "{secret}", none = "x" }}
        secrets = ["key"]
        notify = ["https://hooks.example.com/{secret}", {{ url = "https://b.example/{secret}" }}]
        ping = "https://hc-ping.com/{secret}"
        jobs = [{{ name = "a", command = "true", env = {{ TOKEN = "{secret}" }} }}]
    """
    stored = json.loads(write_schedule(read(text, tmp_path)))
    lines = written("a", {**stored, "params": {**stored["params"], "none": [None]}})
    shown = "\n".join(lines)
    assert secret not in shown
    assert 'notify = [{ url = "https://hooks.example.com/…" }, { url = "https://b.example/…" }]' in lines
    assert "# none = [null]" in lines
    tomllib.loads(shown)
