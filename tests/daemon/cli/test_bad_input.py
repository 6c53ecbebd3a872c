"""Bad input: one clear sentence, the right exit status, no traceback, no password, nothing half done."""

import json
from pathlib import Path

import pytest

from .conftest import Leased

PYTHON = "from daemon import Schedules\nschedules = Schedules('shop')\n{}\n"
COMMAND = "schedules.add('a', {}).command('b', 'true')"
TOML = 'application = "shop"\n{}\n[schedules.a]\ncron = "0 2 * * *"\njobs = [{{ name = "b", {} }}]\n'

MISTAKES = {
    "unknown time zone": (
        "s.py",
        PYTHON.format(COMMAND.format("cron='0 2 * * *', timezone='Europe/Berln'")),
        ['schedule "a"', "timezone", 'did you mean "Europe/Berlin"?'],
    ),
    "slots of a schedule": (
        "s.py",
        PYTHON.format(COMMAND.format("cron='0 2 * * *', lock='api', slots=3")),
        ['schedule "a"', "slots", "this is a setting of a lock", 'write lock={"name": "…", "slots": …}'],
    ),
    "slots of a schedule in TOML": (
        "s.toml",
        'application = "shop"\n[schedules.a]\nevery = "5m"\nslots = 3\njobs = [{ name = "b", command = "true" }]\n',
        ['s.toml: schedule "a", slots', "this is a setting of a lock", 'write lock = { name = "…", slots = … }'],
    ),
    "unknown setting in [settings]": (
        "s.toml",
        TOML.format('[settings]\nlease_tl = "15s"', 'command = "true"'),
        ["s.toml: [settings] lease_tl", 'did you mean "lease_ttl"?'],
    ),
    "revision that is not a number": (
        "s.py",
        "from daemon import Schedules\nschedules = Schedules('shop', revision='42')\n",
        ["s.py, line 2", "revision", '"42" is not a revision; give a whole number from 0 to 9223372036854775807'],
    ),
    "revision in [settings]": (
        "s.toml",
        TOML.format("[settings]\nrevision = 42", 'command = "true"'),
        ["s.toml: [settings] revision", "write revision = … at the top of the file"],
    ),
    "TOML error": ("s.toml", 'application = "shop\n', ["s.toml", "TOML", "line 1"]),
    "Python error": ("s.py", "from daemon import\n", ["s.py", "line 1", "SyntaxError"]),
    "timing that breaks rule 3": (
        "s.toml",
        TOML.format('[settings]\ngive_up = "14s"', 'command = "true"'),
        ["s.toml: [settings] give_up", "give_up + kill_time is 17s, not less than ttl (15s)"],
    ),
    "secret in a setting of the file": (
        "s.toml",
        TOML.format('[settings]\ndatabase_url = "mysql://u:geheim@h/d"', 'command = "true"'),
        ["s.toml: [settings] database_url", "mysql is not supported"],
    ),
}


def nothing_half_done(folder: Path) -> None:
    assert not list(folder.glob("leased.db*"))


@pytest.mark.parametrize("command", ["run", "sync", "check"])
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.usefixtures("one_load")
def test_a_mistake_in_the_file(leased: Leased, folder: Path, mistake: str, command: str) -> None:
    name, text, said = MISTAKES[mistake]
    (folder / name).write_text(text)
    leased(command, name).is_one_sentence(2, *said)
    nothing_half_done(folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "shop.py", "--ttl", "5s", "--give-up", "5s"], "--ttl and --give-up: give_up + kill_time"),
        (["run", "shop.py", "--ttl", "soon"], "--ttl: 'soon' is not a duration"),
        (["run", "shop.py", "--now", "nighly"], 'did you mean "nightly"?'),
        (["run", "shop.py", "--web", "1", "--no-web"], "--web and --no-web contradict each other"),
        (["run", "shop.py", "--web", "0.0.0.0:80"], "LEASED_WEB_TOKEN"),
        (["run", "nothing.py"], "there is no such file"),
        (["run", "shop"], "this does not say what to load"),
        (["run", "shop.py", "--databse", "x"], "--databse"),
        (["run", "shop.py", "--database", "postgresql:/u:geheim@h"], "--database: the database's URL cannot be read"),
        (["run", "shop.py", "--revision", "soon"], '--revision: "soon" is not a revision; give a whole number'),
        (["run", "shop.py", "--revision", "-1"], '--revision: "-1" is not a revision'),
        (["run", "shop.py", "--revision", str(2**63)], "--revision: "),
        (["run", "shop.py", "--yes=1"], "--yes"),
        (["generations", "shop.py"], "'N': it is not an integer"),
        (["preview", "61 * * * *"], "out of range"),
        (["preview", "0 0 31 2 *"], "never fires"),
        (["preview", "0"], 'EXPRESSION: "0" is too short; write at least 0.1 seconds'),
        (["preview", "@daily", "--timezone", "Mars/Olympus"], "--timezone"),
        (["preview", "@daily", "--from", "tomorow"], '--from: "tomorow" is not a time; write it like "18:00"'),
        (["preview", "@daily", "--exclude", "holidays"], '--exclude: "holidays" is not a day'),
        (["preview", "\x1b[31m * * * *"], r"\x1b[31m"),
        (["runs", "--state", "lost"], 'there is no state "lost"'),
        (["forget", "first"], '"first" is not the number of a run; `leased runs` lists them'),
        (["show", "0"], '"0" is not the number of a run'),
        (["show", "-1"], '"-1" starts like an option, and numbers here are 0 or more'),
        (["trigger", "nightly", "--params", "{"], "; an example of a JSON object: '{\"customer\": 7}'"),
        (["trigger", "nightly", "--params", "[1]"], "--params is not a JSON object; an example of"),
        (["trigger", "nightly", "--params", "@missing.json"], "--params @missing.json cannot be read: No such file"),
        (["trigger", "nightly", "--param", "customer"], "--param customer is not a name and a value; write it like"),
        (["trigger", "nightly", "--param", "customer=1", "--param", "customer=2"], "--param gives customer twice"),
        (["trigger", "nightly", "--key", ""], "the key is empty"),
        (["trigger", "nightly", "--key", "k" * 201], "the key has 201 characters; at most 200 are allowed"),
        (["trigger", "nightly", "--at", "noon"], '--at: "noon" is not a time; write it like "18:00", "tomorrow"'),
        (["trigger", "nightly", "--why", ""], "--why is empty"),
        (["trigger", "nightly", "--by", "x" * 501], "--by has 501 characters; at most 500 are allowed"),
        (["trigger"], "Missing argument 'NAME'; see `leased trigger --help`"),
        (["backfill", "nightly", "--from", "0001-01-01T00:00:00Z", "--to", "today"], "is too early to count from"),
        (["show", "1", "2"], "unexpected argument '2' (quote values that contain spaces); see `leased show --help`"),
        (["preview", "0", "2", "*", "*", "*"], "unexpected argument '2 * * *' (quote values that contain spaces); see"),
        (["cancel", str(2**63)], f'"{2**63}" is not the number of a run'),
        (["cancel", "1", "--by", "bob\x1b[31m"], "--by has line breaks or control characters"),
        (["lock", "x", "--wait", "30s"], "the command lock does not exist yet; "),
        (["stack", "1", "--timeout", "0s"], "--timeout"),
        (["stack", "1", "--timeout", "1h"], "--timeout is 1h; write a duration from 1s to 5m"),
        (["db", "nothing"], "No such command 'nothing'; see `leased db --help`"),
        (["runs", "--limit", "0"], "Invalid value for '--limit': write 1 or more"),
        (["run", "shop.py", "--replicas", "two"], "'--replicas': it is not an integer; see `leased run --help`"),
        (["db", "restored", "--by", "0"], "--by"),
    ],
)
def test_a_mistake_on_the_command_line(leased: Leased, folder: Path, arguments: list[str], said: str) -> None:
    leased(*arguments).is_one_sentence(2, said)
    nothing_half_done(folder)


NO_APPLICATION = 'there is no application "shpo"; did you mean "shop"?'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--application", "shpo"], NO_APPLICATION),
        (["runs", "--application", "shpo"], NO_APPLICATION),
        (["runs", "nighly"], 'there is no schedule "nighly"; did you mean "nightly"?'),
        (
            ["runs", "nighly", "--application", "shop"],
            'there is no schedule "nighly" of "shop"; did you mean "nightly"?',
        ),
        (["replicas", "--application", "shpo"], NO_APPLICATION),
        (["generations", "--application", "shpo"], NO_APPLICATION),
        (["audit", "--application", "shpo"], NO_APPLICATION),
        (["trigger", "nightly", "--application", "shpo"], NO_APPLICATION),
        (["show", "7"], "run 7 does not exist"),
        (["cancel", "7"], "run 7 does not exist"),
        (["forget", "7", "--yes"], "run 7 does not exist"),
        (["status", "--tag", "nightly"], 'no schedule has the tag "nightly"; there are none'),
        (
            ["locks", "run/shpo"],
            'there is no lease whose name begins with "run/shpo"; there is only "run/shop/nightly"',
        ),
    ],
)
def test_a_name_that_is_not_there_is_an_error_and_no_empty_answer(
    leased: Leased, arguments: list[str], said: str
) -> None:
    leased("sync", "shop.py")
    leased(*arguments).is_one_sentence(1, said)


def test_a_retired_schedule_and_an_application_of_which_nothing_has_run_are_there(leased: Leased, folder: Path) -> None:
    leased("sync", "shop.py")
    (folder / "shop.py").write_text((folder / "shop.py").read_text().replace('"nightly"', '"daily"'))
    leased("sync", "shop.py")
    for arguments in (["runs", "nightly"], ["runs", "daily", "--application", "shop"], ["replicas"]):
        answer = leased(*arguments, "--json")
        assert (answer.status, answer.document["items"]) == (0, [])


@pytest.mark.parametrize("command", ["status", "runs", "locks", "replicas", "generations", "audit"])
def test_reading_makes_no_database(leased: Leased, folder: Path, command: str) -> None:
    leased(command).is_one_sentence(1, "there is no database file", "leased.db")
    nothing_half_done(folder)


UNREACHABLE = "postgresql://u:geheim@127.0.0.1:1/shop"


@pytest.mark.parametrize(
    "command",
    [["run", "shop.py"], ["run", "shop.py", "--replicas", "3"], ["sync", "shop.py"], ["status"], ["db", "upgrade"]],
)
def test_an_unreachable_database(leased: Leased, command: list[str]) -> None:
    leased(*command, "--database", UNREACHABLE).is_one_sentence(1, "127.0.0.1:1", "cannot be used")


def test_a_database_without_tables_is_told_what_to_do(leased: Leased, empty_postgres_url: str) -> None:
    leased("run", "shop.py", "--database", empty_postgres_url).is_one_sentence(1, "leased db upgrade")
    leased("status", "--database", empty_postgres_url).is_one_sentence(1, "leased db upgrade")


@pytest.mark.usefixtures("one_load")
def test_an_unknown_variable_is_told_and_the_command_goes_on(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASED_LEASE_TLL", "1s")
    answer = leased("check", "shop.py")
    assert answer.status == 0
    assert answer.err == (
        'leased: LEASED_LEASE_TLL is set, but there is no such setting; did you mean "LEASED_LEASE_TTL"?\n'
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "status"),
    [
        (["status"], "database", 1),
        (["sync", "nothing.py"], "definition", 2),
        (["preview", "x"], "usage", 2),
        (["runs", "--nothing"], "usage", 2),
        (["lock", "x"], "not yet", 2),
    ],
)
def test_with_json_an_error_is_an_object_on_stderr(
    leased: Leased, arguments: list[str], kind: str, status: int
) -> None:
    answer = leased(*arguments, "--json")
    assert (answer.status, answer.out) == (status, "")
    assert json.loads(answer.err)["error"]["kind"] == kind


@pytest.mark.usefixtures("one_load")
def test_a_defect_of_our_own_shows_a_traceback_from_our_code_on(
    leased: Leased, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("daemon.service.outside.file_check.load", broken)
    answer = leased("check", "shop.py")
    assert answer.status == 1
    assert answer.err.startswith("leased: this is a bug in leased; please report it")
    assert "ZeroDivisionError: oh" in answer.err
    assert "typer" not in answer.err
