"""The README's program is the same schedule as its TOML, and runs."""

from pathlib import Path
from typing import Any

import pytest

from daemon.definitions.sources.load import load
from daemon.testing import run_once
from tests.docs.pages import ROOT, blocks

README = ROOT / "README.md"


def test_the_program_is_due_as_the_file_and_prints_what_it_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_toml,), (program, _) = blocks(README, "toml"), blocks(README, "python")
    schedules = []
    for name, text in (("shop.toml", in_toml), ("shop.py", program)):
        (tmp_path / name).write_text(text)
        (schedule,) = load(tmp_path / name).schedules
        schedules.append((schedule.name, schedule.trigger, schedule.timezone, schedule.jobs[0].timeout))
    assert schedules[0] == schedules[1]
    names: dict[str, Any] = {"__name__": "shop"}
    exec(program, names)  # noqa: S102 - of our own page
    assert run_once(names["schedules"], "report", at="2026-06-01T00:00:00Z").state == "succeeded"
    assert capsys.readouterr().out == "report of 2026-06-01, attempt 1, token 1\n"
