"""The SQL of the statements' rooms, as each kind of database gets it: `docs/internals/sql`.

Each statement that these rooms send in the tests of `CHECKED` is looked up there, so that a change of its text is seen in
the files. `LEASED_TEST_SQL=FOLDER` records instead what is sent; `python -m tests.support.sql FOLDER` writes it to the files.
"""

import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Engine, event

from lease.database.held.statement import Compiled

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "internals" / "sql"
ROOMS = ("lease/statements/", "daemon/store/statements/")
CHECKED = ("tests/daemon/store/", "tests/daemon/operations/", "tests/daemon/scheduling/", "tests/lease/test_store")
"""Where tests send statements themselves: nothing in the background sends one now and then."""
_INTO = os.environ.get("LEASED_TEST_SQL")
_SCHEMA = re.compile(r'"?__\[SCHEMA_[^\]]*\]"?\.')
_MOMENT = re.compile(r"\b\d{12,}\b")
_HEAD = re.compile(r"^-- (.+)$", re.MULTILINE)
_FILE = """-- What leased sends to {kind}, by the function that sends it. See README.md.
-- Where the tables are in a schema, its name stands before theirs.
"""


class Sent:
    """The statements that the rooms send in this process, by kind of database and by who sends them."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.strange: list[str] = []
        self._known = {} if _INTO else {kind: set(_texts(kind)) for kind in ("postgresql", "sqlite")}
        self._seen: set[tuple[str, str]] = set()

    def take(self, kind: str, text: str) -> None:
        """Take in a statement that is about to be sent."""
        if (kind, text) in self._seen:
            return
        shown = _shown(text)
        if shown not in self._known.get(kind, ()) and (sender := _sender()) is not None:
            self.found[kind][sender].add(shown)
            self.strange.append(f"{sender} sends {kind}:\n{shown}")
        if not _INTO:  # several may send the same, and who does so first says nothing
            self._seen.add((kind, text))


_SENT: Sent


def pytest_configure() -> None:
    global _SENT  # noqa: PLW0603 - one for each process
    _SENT = Sent()
    event.listen(Engine, "before_cursor_execute", _executed)
    made = Compiled.__init__

    def noted(self: Compiled, construct: Any, dialect: Any, schemas: Any) -> None:
        made(self, construct, dialect, schemas)
        _SENT.take(dialect.name, _without(schemas.get(None) or "public", self.text))

    Compiled.__init__ = noted  # type: ignore[method-assign]


def _executed(connection: Any, _cursor: Any, text: str, _values: Any, context: Any, _many: bool) -> None:
    compiled = None if context is None else context.compiled
    _SENT.take(connection.dialect.name, text if compiled is None else compiled.string)


@pytest.fixture(autouse=True)
def each_statement_is_on_record(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the statements' rooms send is in the files, or is recorded."""
    yield
    strange, _SENT.strange = _SENT.strange, []
    is_checked = request.node.nodeid.startswith(CHECKED) and request.node.get_closest_marker("extended") is None
    if strange and not _INTO and is_checked:
        pytest.fail(
            "docs/internals/sql lacks a statement; if it is meant, its README says how to write it: " + strange[0]
        )


def pytest_sessionfinish() -> None:
    if _INTO and _SENT.found:
        document = {kind: {of: sorted(texts) for of, texts in by.items()} for kind, by in _SENT.found.items()}
        (Path(_INTO) / f"{os.getpid()}.json").write_text(json.dumps(document))


def _sender() -> str | None:
    """Return which function of the rooms sends a statement now; None: it is none of theirs."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        path = frame.f_code.co_filename
        if "/tests/" in path and path != __file__:
            return None
        for room in ROOMS:
            if (at := path.rfind(f"/{room}")) >= 0:
                return f"{path[at + 1 :]}: {frame.f_code.co_qualname.partition('.<locals>')[0]}"
        frame = frame.f_back
    return None


def _without(schema: str, text: str) -> str:
    return text.replace(f'"{schema}".', "").replace(f"{schema}.", "")


def _shown(text: str) -> str:
    return "\n".join(line.rstrip() for line in _MOMENT.sub("N", _SCHEMA.sub("", text)).splitlines())


def _texts(kind: str) -> list[str]:
    file = FILES / f"{kind}.sql"
    if not file.exists():
        return []
    return [part.strip() for section in _HEAD.split(file.read_text())[2::2] for part in section.split(";\n\n")]


def write(folder: Path) -> None:
    """Write what the processes of a run have recorded."""
    merged: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in folder.glob("*.json"):
        for kind, by in json.loads(file.read_text()).items():
            for of, texts in by.items():
                merged[kind][of] |= set(map(_shown, texts))
    FILES.mkdir(exist_ok=True)
    for kind, by in merged.items():
        parts = [f"\n-- {of}\n" + "".join(f"{text};\n\n" for text in sorted(by[of])) for of in sorted(by)]
        (FILES / f"{kind}.sql").write_text(
            _FILE.format(kind={"sqlite": "SQLite"}.get(kind, "PostgreSQL")) + "".join(parts)
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
