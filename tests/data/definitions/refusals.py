"""Wrong definitions, each with the sentence by which it is refused today."""

import contextlib
import json
import tempfile
from pathlib import Path

from daemon.definitions.sources.load import load
from daemon.errors import DefinitionError

Case = dict[str, str]
"""`toml`: a whole file, or `python`: what stands below `HEAD`; the error's kind, and its message."""

TABLE = Path(__file__).parent / "refusals.json"
HEAD = """\
from daemon import Schedules
schedules = Schedules("shop")
def job(run): ...
async def task(run): ...
"""


def cases() -> list[Case]:
    return list(json.loads(TABLE.read_text(encoding="utf-8")))


def judged(case: Case, folder: Path) -> Case:
    """Return the case with what is said of it now; ``folder`` must be a new one."""
    kind, text = ("toml", case["toml"]) if "toml" in case else ("python", case["python"])
    file = "case.toml" if kind == "toml" else "case.py"
    (folder / file).write_text(text if kind == "toml" else f"{HEAD}{text}\n", encoding="utf-8")
    with contextlib.chdir(folder):
        try:
            load(file)
        except DefinitionError as error:
            return {kind: text, "error": type(error).__name__, "message": str(error)}
    return {kind: text, "error": "none", "message": "it is taken"}


def write_refusals() -> None:
    """Take the sentences of today for right. A new case needs only its `toml` or `python` in the file."""
    now = []
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            now.append(judged(case, Path(folder)))
    TABLE.write_text(json.dumps(now, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
