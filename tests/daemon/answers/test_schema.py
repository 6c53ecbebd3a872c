"""The schema of an answer."""

from dataclasses import dataclass

import jsonschema
import pytest

from daemon.answers.questions import schema_of


@dataclass(frozen=True)
class Counted:
    """An answer that is made up."""

    count: int


def test_an_answer_names_its_schema_and_may_grow() -> None:
    schema = schema_of("leased/counted/1", Counted)
    jsonschema.validate({"schema": "leased/counted/1", "count": 3, "added": "later"}, schema)
    for wrong in ({"schema": "leased/counted/2", "count": 3}, {"count": 3}, {"schema": "leased/counted/1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
