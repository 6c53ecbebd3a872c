"""What commands answer as JSON: in the published schema, and with one name for one thing."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from daemon.cli.commands.defining.schema import answer_schema
from daemon.cli.screen import ANSWERS, name_of
from tests.daemon.cli.conftest import Answer, Leased

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "reference" / "schemas"


def closed(schema: Any) -> Any:
    """Return the schema of an answer that has all that is named, and nothing else."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False, "required": [*schema["properties"]]} if "properties" in schema else {}
    return {**{key: closed(each) for key, each in schema.items()}, **more}


@cache
def published(answer: str) -> jsonschema.protocols.Validator:
    """Return what validates an answer by its published schema, closed."""
    schema = closed(json.loads((PUBLISHED / f"{answer}.json").read_text()))
    return jsonschema.validators.validator_for(schema)(schema)


def is_valid(document: Any, answer: str) -> Any:
    """Return the answer, which is as its schema says."""
    published(answer).validate(document)
    assert document["schema"] == name_of(answer)
    return document


def valid(answer: Answer, command: str) -> Any:
    return is_valid(json.loads(answer.out), command)


def test_the_validator_sees_what_is_missing_and_what_is_too_much() -> None:
    schema = closed(answer_schema("trigger"))
    named = {"schema": "leased/trigger/1", "run_id": 1, "application": "shop", "schedule": "nightly"}
    right = {**named, "already": False, "at": None}
    jsonschema.validate(right, schema)
    for wrong in ({**right, "more": 1}, {**right, "run_id": "1"}, {"schema": right["schema"]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


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
    leased("schema", "statsu").is_refused(2, 'no command "statsu" answers with --json; did you mean "status"?')
