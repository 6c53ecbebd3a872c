"""What the database holds of a definition, byte for byte."""

import json
from pathlib import Path
from typing import Any

from daemon.definitions.definition import Mark
from daemon.definitions.schedule import Schedule, write_schedule
from daemon.definitions.sources.load import load

FOLDER = Path(__file__).parent
FILES = ("everything.toml", "everything.py")
GOLDEN = FOLDER / "golden.json"


def schedules_of(file: str) -> dict[str, Schedule]:
    return {schedule.name: schedule for schedule in load(FOLDER / file).schedules}


def stored_form(schedule: Schedule) -> dict[str, Any]:
    """Return what `sync` writes, and what of it is the timing."""
    timing = schedule.settings(Mark.TIMING)
    return {
        "stored": write_schedule(schedule),
        "digest": schedule.digest,
        "trigger": str(schedule.trigger),
        "timing": {name: value for name, value in schedule.stored().items() if name in timing},
    }


def written(forms: object) -> str:
    """Return it as a text, for values of Python are equal that are stored differently: `1` and `1.0`, `0.0` and `-0.0`."""
    return json.dumps(forms, ensure_ascii=False, indent=2) + "\n"


def golden() -> dict[str, dict[str, Any]]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8")))


def write_golden() -> None:
    """Take what is stored now for right: every deployed schedule whose form differs counts as changed from then on."""
    forms = {file: {name: stored_form(schedule) for name, schedule in schedules_of(file).items()} for file in FILES}
    GOLDEN.write_text(written(forms), encoding="utf-8")
