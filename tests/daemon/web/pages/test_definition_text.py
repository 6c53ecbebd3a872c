"""A definition with what changed last in it. Pure."""

import json
from typing import Any

from daemon.definitions.schedule import Schedule
from daemon.web.pages.definition import TextLine, changes, whole


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
    given = {
        **{
            f"job new, {key}": (None, value)
            for key, value in {
                "command": ["a", "b"],
                "isolation": "command",
                "retries": 0,
                "backoff": 10.0,
                "env": [],
            }.items()
        },
        **{
            f"job old, {key}": (value, None)
            for key, value in {"function": "shop:old", "isolation": "task", "retries": 2}.items()
        },
    }
    text = marked(changes("nightly", definition, given))
    assert {
        '+ name = "new"',
        '+ command = ["a", "b"]',
        '- name = "old"',
        '- call = "shop:old"',
        "- retries = 2",
    } <= set(text)
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
