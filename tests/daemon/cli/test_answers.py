"""What commands answer as JSON: in the published schema, and with one name for one thing."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from daemon.cli.commands.defining.schema import answer_schema
from daemon.cli.screen import ANSWERS, name_of
from tests.daemon.cli.conftest import Leased

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "reference" / "schemas"
MANY = """
from daemon import Schedules

schedules = Schedules("many")
for number in range(COUNT):
    schedules.add(f"s{number}", cron="0 2 * * *", tags=["all"]).command("a", "true", timeout="1m")
"""
READING = {
    "status": ["status"],
    "report": ["report"],
    "runs": ["runs"],
    "locks": ["locks", "--all"],
    "replicas": ["replicas"],
    "generations": ["generations"],
    "audit": ["audit"],
    "doctor": ["doctor"],
    "activity": ["activity"],
    "notify": ["notify"],
    "backfills": ["backfills"],
    "preview": ["preview", "0 2 * * *"],
    "db-current": ["db", "current"],
}


A_BACKFILL = """
INSERT INTO backfill (application, schedule, first, last, at_most, instants, requested_by, created_at)
VALUES ('shop', 'nightly', 0, 0, 1, 0, 'ann@web-1', 0)
"""


def closed(schema: Any) -> Any:
    """Return the schema of an answer that has all that is named, and nothing else."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False, "required": [*schema["properties"]]} if "properties" in schema else {}
    return {**{key: closed(each) for key, each in schema.items()}, **more}


def valid(answer: Any, command: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer.out)
    jsonschema.validate(document, closed(json.loads((PUBLISHED / f"{command}.json").read_text())))
    assert document["schema"] == name_of(command)
    return document


def test_the_validator_sees_what_is_missing_and_what_is_too_much() -> None:
    schema = closed(answer_schema("trigger"))
    named = {"schema": "leased/trigger/1", "run_id": 1, "application": "shop", "schedule": "nightly"}
    right = {**named, "already": False, "at": None}
    jsonschema.validate(right, schema)
    for wrong in ({**right, "more": 1}, {**right, "run_id": "1"}, {"schema": right["schema"]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.usefixtures("one_load")
def test_every_answer_that_reads_or_acts_keeps_to_its_schema(leased: Leased, folder: Path) -> None:
    seen = set()

    def answer(command: str, *arguments: str, status: int = 0) -> dict[str, Any]:
        given = leased(*arguments, "--json")
        assert given.status == status, given.err
        seen.add(command)
        return valid(given, command)

    (folder / "crontab").write_text("0 3 * * * backup\n")
    answer("init", "init", "first.py")
    answer("import-crontab", "import", "crontab", "crontab", "--timezone", "UTC")
    answer("check", "check", "shop.py")
    answer("sync", "sync", "shop.py")
    answer("trigger", "trigger", "nightly", "--why", "to see")
    answer("cancel", "cancel", "1")
    answer("pause", "pause", "nightly", "--until", "1h")
    answer("resume", "resume", "--all")
    answer("retry", "retry", "1")
    answer("cancel-many", "cancel", "--schedule", "nightly", "--yes")
    answer("retry-many", "retry", "--failed", "--yes")
    answer("forget", "forget", "1", "--yes")
    answer("backfill", "backfill", "nightly", "--from", "2020-02-01T00:00:00Z", "--to", "2020-03-01T00:00:00Z")
    with closing(sqlite3.connect("leased.db")) as connection:
        connection.execute(A_BACKFILL)
        connection.commit()
    answer("backfill-changed", "pause", "--backfill", "1")
    assert answer("show", "show", "1")["run_id"] == 1
    assert answer("logs", "logs", "1")["items"] == []
    leased("trigger", "nightly")
    for command, arguments in READING.items():
        answer(command, *arguments)
    answer("why", "why", "nightly")
    answer("retire", "retire", "--application", "shop")
    answer("db-restored", "db", "restored", "--force")
    elsewhere = {"stack", "notify-test"}  # a replica's, in test_screens.py; a target's, in test_notify_command.py
    assert seen == set(ANSWERS) - elsewhere, "ask for each answer: in READING, or above"


@pytest.mark.parametrize("count", [0, 1, int(os.environ.get("LEASED_TEST_SCHEDULES", "300"))])
def test_with_any_number_of_schedules(leased: Leased, folder: Path, count: int) -> None:
    (folder / "many.py").write_text(MANY.replace("COUNT", str(count)))
    if count:
        valid(leased("sync", "many.py", "--json"), "sync")
    else:
        leased("db", "upgrade")
    for command, arguments in READING.items():
        valid(leased(*arguments, "--json"), command)


def test_one_thing_has_one_name_everywhere() -> None:
    """INTERFACE's: run_id, schedule, application, timing, cause."""
    others = {"id", "name", "trigger", "cron", "every", "at", "app"}

    def names(schema: Any) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(names, schema))
        if not isinstance(schema, dict):
            return set()
        return set(schema.get("properties", ())).union(*(names(each) for each in schema.values()))

    for command in ANSWERS:
        found = names(answer_schema(command)) & others
        assert found <= ({"name"} if command == "locks" else {"at"}), (command, found)


def test_a_schema_can_be_printed_and_an_unknown_one_is_a_sentence(leased: Leased) -> None:
    assert json.loads(leased("schema", "status").out) == answer_schema("status")
    refused = leased("schema", "statsu")
    assert (refused.status, refused.err) == (
        2,
        'leased: no command "statsu" answers with --json; did you mean "status"?\n',
    )
