"""Every command at 80, 120 and 200 columns, with NO_COLOR, in a pipe and as JSON; of no schedule, of one and of hundreds."""

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len

from daemon.cli.app import COMMANDS
from daemon.cli.ask import ask_url
from daemon.cli.progress import print_summary
from daemon.cli.screen import ANSWERS, Times, screen
from daemon.store.migrations.state import REVISIONS
from daemon.store.statements.schedule import database_time
from daemon.store.views.history import read_run
from tests.daemon.cli.conftest import no_second_load
from tests.daemon.cli.test_answers import is_valid
from tests.docs.pages import blocks
from tests.support.terminal import Shell

from . import worlds
from .kept import FOLDER, compare, kept_as, shortened, without_the_number
from .standing_clock import StandingClock, standing
from .ways import COLOURS, COLUMNS, WAYS, WIDTHS, Shown, Way, call, named, plain, shown

pytestmark = pytest.mark.usefixtures("passing_seconds")
COUNT = int(os.environ.get("LEASED_TEST_SCHEDULES", "300")) + 100
"""So that what is a few less has as many digits."""
ROOT = Path(__file__).parents[4]
NONE, ONE, MANY = "no schedule", "one schedule", "hundreds"
WORLDS: dict[str, Callable[[worlds.World], None]] = {
    NONE: worlds.nothing,
    ONE: worlds.one,
    MANY: lambda world: worlds.many(world, COUNT),
}
READING = {
    "status",
    "why",
    "runs",
    "show",
    "logs",
    "locks",
    "replicas",
    "generations",
    "activity",
    "check",
    "sync",
    "report",
}
"""The commands of whose screens the first is kept at each width; of the others 80 columns say enough."""
NIGHT = ("--timezone", "Europe/Berlin", "--from", "2026-03-27T12:00:00Z", "--count", "3")
IMPORTED = ("--timezone", "Europe/Berlin", "--application", "web1")
MORNING = ("--from", "2026-07-01T06:00:00Z", "--to", "2026-07-01T11:00:00Z")
SCREENS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "status-wide": ("status", "--wide", "--utc"),
    "status-all": ("status", "--all"),
    "status-of-state": ("status", "--state", "pending"),
    "status-of-tag": ("status", "--tag", "money"),
    "report": ("report",),
    "report-of-night": (
        "report",
        "--since",
        "2026-07-01T06:30:00Z",
        "--until",
        "2026-07-01T09:30:00Z",
        "--all",
        "--check",
    ),
    "why": ("why", "refresh-exchange-rates"),
    "why-running": ("why", "8"),
    "why-pending": ("why", "9"),
    "why-failed": ("why", "2", "--utc"),
    "runs": ("runs",),
    "runs-wide": ("runs", "--wide", "--utc", "--limit", "3"),
    "runs-of-state": ("runs", "--state", "failed", "--limit", "5"),
    "runs-of-schedule": ("runs", "refresh-exchange-rates", "--limit", "2"),
    "show-failed": ("show", "2"),
    "show-wide": ("show", "1", "--wide"),
    "show-running": ("show", "8"),
    "show-pending": ("show", "9"),
    "stack": ("stack", "8"),
    "stack-pending": ("stack", "9"),
    "logs": ("logs", "1"),
    "logs-of-nothing": ("logs", "9"),
    "locks": ("locks",),
    "locks-all": ("locks", "--all"),
    "locks-of-prefix": ("locks", "run/office"),
    "replicas": ("replicas",),
    "generations": ("generations",),
    "audit": ("audit",),
    "preview": ("preview", "30 2 * * *", *NIGHT),
    "preview-exclude": ("preview", "30 2 * * *", *NIGHT, "--exclude", "12-25", "--exclude", "2026-01-01..2027-12-31"),
    "preview-on-request": ("preview", "on_request"),
    "preview-remark": ("preview", "0 9 1-7 * mon", *NIGHT),
    "check": ("check", "FILE"),
    "init": ("init", "first.py"),
    "import-crontab": ("import", "crontab", "web1.cron", *IMPORTED),
    "import-crontab-output": ("import", "crontab", "web1.cron", *IMPORTED, "--output", "web1.toml"),
    "sync-dry-run": ("sync", "FILE", "--dry-run"),
    "sync": ("sync", "new.py", "--revision", "2"),
    "trigger": ("trigger", "refresh-exchange-rates", "--by", "ada@laptop"),
    "cancel-running": ("cancel", "8", "--by", "ada@laptop"),
    "cancel-pending": ("cancel", "9", "--by", "ada@laptop", "--why", "not needed any more"),
    "cancel-of-tag": ("cancel", "--tag", "money", "--by", "ada@laptop", "--yes"),
    "cancel-dry-run": ("cancel", "--schedule", "refresh-exchange-rates", "--dry-run"),
    "cancel-unasked": ("cancel", "--schedule", "refresh-exchange-rates"),
    "retry-failed": ("retry", "--failed", "--by", "ada@laptop", "--yes"),
    "retry-failed-dry-run": ("retry", "--failed", "--since", "7d", "--dry-run"),
    "pause": ("pause", "refresh-exchange-rates", "--by", "ada@laptop"),
    "pause-all": ("pause", "--all", "--until", "2h", "--by", "ada@laptop", "--why", "the bank is closed"),
    "resume-all": ("resume", "--all", "--by", "ada@laptop"),
    "notify": ("notify",),
    "activity": ("activity",),
    "activity-of-act": ("activity", "--act", "cancel"),
    "retry": ("retry", "2", "--by", "ada@laptop", "--why", "the bank is there again"),
    "retry-from": ("retry", "1", "--from", "publish", "--by", "ada@laptop"),
    "retry-running": ("retry", "8"),
    "forget": ("forget", "2", "--by", "ada@laptop", "--why", "as the customer asked", "--yes"),
    "forget-unasked": ("forget", "2"),
    "forget-running": ("forget", "8", "--yes"),
    "retire": ("retire", "--application", "shop", "--by", "ada@laptop"),
    "backfill-dry-run": ("backfill", "refresh-exchange-rates", *MORNING, "--dry-run"),
    "backfills": ("backfills",),
    "pause-of-backfill": ("pause", "--backfill", "7"),
    "doctor": ("doctor",),
    "db-current": ("db", "current"),
    "db-upgrade": ("db", "upgrade"),
    "db-restored": ("db", "restored"),
    "db-restored-force": ("db", "restored", "--force"),
}
FIRST = {command: name for name, (command, *_) in reversed(SCREENS.items())}.values()
"""Of each command one screen."""
OF_ANY_WIDTH = {name for name, (command, *_) in SCREENS.items() if command in READING and name in FIRST}
OF_ONE = {"why", "show", "logs"}
"""The commands that say the same of one schedule or run if there are hundreds."""
OF_MANY = {name for name, (command, *_) in SCREENS.items() if command in READING - OF_ONE} | {
    "audit",
    "retry-failed",
    "retry-failed-dry-run",
    "pause-all",
    "resume-all",
    "retire",
}
"""What is shown otherwise if there are hundreds."""
LONG = {"schema": ("schema",), "schema-of-answer": ("schema", "status"), "db-sql": ("db", "sql")}
"""Documents, which are no screens, and are kept elsewhere."""
FILES = {NONE: "empty.py", ONE: "one.py", MANY: "many.py"}
WITHOUT_JSON = {"db-upgrade"}


class Database:
    """A database of a world, in a folder of its own; each call finds it as it was made."""

    def __init__(self, name: str, folder: Path, clock: StandingClock) -> None:
        self.name = name
        self._clock = clock
        self._folder = folder
        (folder / "made").mkdir(parents=True)
        os.chdir(folder / "made")
        Path("empty.py").write_text('from daemon import Schedules\nschedules = Schedules("shop")\n')
        Path("web1.cron").write_text(worlds.CRONTAB)
        Path("new.py").write_text(worlds.ONE.replace("refresh", "load"))
        world = worlds.World(clock)
        WORLDS[name](world)
        world.store.engine.dispose()
        self._at = clock.now

    def call(self, way: Way, arguments: tuple[str, ...], columns: int = COLUMNS) -> Shown:
        self.as_it_was_made()
        return call(way, [FILES[self.name] if each == "FILE" else each for each in arguments], columns)

    def as_it_was_made(self) -> None:
        self._clock.now = self._at
        again = self._folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        shutil.copytree(self._folder / "made", again)
        os.chdir(again)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Database]]:
    before, path = Path.cwd(), list(sys.path)
    clock = StandingClock(worlds.NOON)
    folder = tmp_path_factory.mktemp("screens")
    with pytest.MonkeyPatch.context() as patch, standing(clock):
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        patch.setattr("daemon.cli.commands.db.describe", lambda _: worlds.URL)
        patch.setattr("daemon.cli.commands.defining.check.second_load", no_second_load)
        patch.setattr("daemon.service.doctor.examination.describe", lambda _: worlds.URL)
        patch.setattr("daemon.service.doctor.examination._others", tuple)
        patch.setattr("daemon.service.doctor.checks.package_version", lambda: "1.0.0")
        patch.setattr("daemon.service.doctor.checks._ms", lambda _: "0.4 ms")
        patch.setattr("resource.getrlimit", lambda _: (1_024, 1_024))
        patch.setattr("daemon.cli.commands.defining.init.local_zone", lambda: "Europe/Berlin")
        for variable in [name for name in os.environ if name.startswith("LEASED_")]:
            patch.delenv(variable)
        yield [Database(name, folder / name.replace(" ", "-"), clock) for name in WORLDS]
    time.tzset()
    os.chdir(before)
    sys.path[:] = path


def answer_of(arguments: tuple[str, ...]) -> str:
    """Return the name of the answer of a command."""
    command, first, *_ = (*arguments, "")
    if command in {"cancel", "retry"} and first.startswith("--"):
        return f"{command}-many"
    return f"{command}-{first}" if command in {"db", "import"} else command


def without_the_revision(text: str) -> str:
    return text.replace(f"leased.db: {REVISIONS[-1]}", "leased.db: {revision}")


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_as_it_is_kept(name: str, databases: list[Database]) -> None:
    parts: dict[tuple[str, Way, int | None], str] = {}
    for database in databases if name in OF_MANY else databases[:2]:
        texts: dict[tuple[Way, int | None], str] = {}
        for columns in WIDTHS if database.name == ONE and name in OF_ANY_WIDTH else (COLUMNS,):
            coloured = database.call("at a terminal", SCREENS[name], columns).text
            if database.name == ONE:
                texts["at a terminal", columns] = coloured
            no_color = plain(coloured)
            if columns == COLUMNS:
                texts["with NO_COLOR", columns] = no_color
            assert max(map(cell_len, no_color.splitlines())) <= columns
            assert [line for line in no_color.splitlines() if line != line.rstrip()] == []
            if database.name == ONE and columns == COLUMNS and name in FIRST:
                without = database.call("with NO_COLOR", SCREENS[name]).text
                assert without == no_color, "with NO_COLOR there is the same text, and nothing else"
        if name in OF_MANY or database.name == ONE:
            texts["in a pipe", None] = database.call("in a pipe", SCREENS[name]).text
        assert [text for (way, _), text in texts.items() if way != "at a terminal" and "\x1b" in text] == []
        for (way, width), coloured in texts.items():
            text = shortened(without_the_revision(named(coloured)))
            parts[database.name, way, width] = without_the_number(text, COUNT) if database.name == MANY else text
    compare(name, kept_as(SCREENS[name], parts))


def test_the_end_of_a_run_until_idle_is_as_it_is_kept(databases: list[Database]) -> None:
    """Of a run that failed, one that succeeded at its second attempt, and one that was cancelled before it began."""

    def show() -> int:
        at, found = ask_url(
            worlds.URL, lambda connection: (database_time(connection), [read_run(connection, run) for run in (2, 1, 4)])
        )
        for one in found:
            print_summary(screen(), one, Times.of(at, utc=False))
        return 0

    databases[1].as_it_was_made()
    parts: dict[tuple[str, Way, int | None], str] = {}
    for columns in WIDTHS:
        coloured = shown("at a terminal", show, columns).out
        parts[ONE, "at a terminal", columns] = named(coloured)
        assert shown("with NO_COLOR", show, columns).out == plain(coloured)
        assert max(map(cell_len, plain(coloured).splitlines())) <= columns
    parts[ONE, "in a pipe", None] = shown("in a pipe", show).out
    compare("run-summary", kept_as(("run", "FILE", "--until-idle"), parts))


@pytest.mark.parametrize("name", sorted(SCREENS.keys() - WITHOUT_JSON))
def test_as_json_it_has_what_the_published_schema_names_and_nothing_else(name: str, databases: list[Database]) -> None:
    for database in databases if name in OF_MANY and name in FIRST else databases[1:2]:
        piped = database.call("in a pipe", (*SCREENS[name], "--json"))
        if database.name == ONE and name in FIRST:
            assert piped == database.call("at a terminal", (*SCREENS[name], "--json")), "it is the same document"
        if piped.out:
            is_valid(json.loads(piped.out), answer_of(SCREENS[name]))
        else:
            assert json.loads(piped.err)["error"].keys() == {"message", "kind"}


def test_pages_show_screens_as_they_are_kept() -> None:
    operate = ("something-is-wrong.md", "what-happened-last-night.md")
    pages = ("reference/command.md", *(f"how-to/operate/{page}" for page in operate))
    shown = [block for page in pages for block in blocks(ROOT / "docs" / page, "text")]
    kept = {file.read_text() for file in FOLDER.glob("*.txt")}
    of = [(block.splitlines()[0], block.partition("\n")[2]) for block in shown if block.startswith("$ leased ")]
    assert {command.split()[2] for command, _ in of} == {"status", "show", "report", "why", "stack"}
    assert all(any(text.startswith(command) and screen in text for text in kept) for command, screen in of)


@pytest.mark.parametrize("name", LONG)
def test_a_document_is_the_same_in_every_way(name: str, databases: list[Database]) -> None:
    shown = [databases[0].call(way, LONG[name]) for way in WAYS]
    assert shown[0] == shown[1] == shown[2]
    assert "\x1b" not in shown[0].text


@pytest.mark.parametrize("command", COMMANDS)
def test_no_help_is_wider_than_the_terminal(command: str) -> None:
    shown = call("at a terminal", (command, "--help"))
    assert max(map(len, shown.text.splitlines())) <= COLUMNS


@pytest.mark.usefixtures("processes")
def test_at_a_real_terminal_it_is_the_same(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in COLOURS}
    script = f"export TERM=xterm-256color; exec $LEASED {shlex.join(SCREENS['preview'])}"
    with closing(Shell(tmp_path, script, environment=environment)) as terminal:
        assert terminal.end() == 0
        terminal.said()
        written = terminal.written.replace("\r\n", "\n")
    assert written == call("at a terminal", SCREENS["preview"]).out


def test_every_command_and_every_answer_is_shown() -> None:
    of_screens = {arguments[0] for arguments in (*SCREENS.values(), *LONG.values())}
    assert of_screens == set(COMMANDS) - {"run", "web"}, (
        "give each command a screen in SCREENS; what these two show is in test_progress.py and test_web_command.py"
    )
    elsewhere = {"backfill-changed", "notify-test"}  # in test_backfill_commands.py and test_notify_command.py
    assert {answer_of(screen) for screen in SCREENS.values()} - WITHOUT_JSON == set(ANSWERS) - elsewhere
