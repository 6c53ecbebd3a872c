"""Every wrong definition is refused with the sentence that the table has for it, as the kind of error that it names: one
translator says in our words what pydantic finds wrong, whatever a setting's type.
"""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, Strict

from daemon.definitions.definition import read
from daemon.definitions.schedule import Schedule
from daemon.errors import DefinitionError, Place
from tests.data.definitions.refusals import Case, cases, judged


@pytest.mark.usefixtures("own_modules")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.get("toml") or case.get("python"))
def test_a_wrong_definition_is_refused_as_the_table_says(case: Case, tmp_path: Path) -> None:
    now = judged(case, tmp_path)
    assert now == case, "is the new sentence the better one? python -m tests.data.definitions refusals"


class Painted(Schedule):
    """A schedule with settings of types that no schedule has."""

    colour: Literal["red", "green"] = "red"
    coats: Annotated[int, Strict(), Field(ge=1, le=9_000)] = 1
    thickness: Annotated[float, Field(gt=0.0)] = 0.5
    layers: tuple[int, ...] = ()


def painted(**settings: object) -> Painted:
    return read(Painted, "wall", {"every": 60, **settings}, Place(source="s.toml"), others=("jobs",))


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("colour", "pink", '"pink" is not a choice; use "red" or "green"'),
        ("colour", ["red"], """['red'] is not a choice; use "red" or "green\""""),
        ("coats", 0, "0 is too small; write 1 or more"),
        ("coats", 10_000, "10000 is too large; write 9,000 or less"),
        ("coats", "2", '"2" is not a whole number; write digits only, without quotes'),
        ("thickness", 0, "0 is not valid: input should be greater than 0; see the reference"),
        ("layers", [1, "two"], '"two" is not valid: input should be a valid integer'),
        ("colours", "red", 'there is no such setting; did you mean "colour"?'),
        ("job", [], 'there is no such setting; did you mean "jobs"?'),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(setting: str, value: object, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        painted(**{setting: value})
    assert str(caught.value).startswith(f's.toml: schedule "wall", {setting}: {said}')


def test_none_is_not_given() -> None:
    assert painted(colour=None, coats=None, keep=None) == painted()


def test_only_what_is_set_of_a_later_setting_is_stored() -> None:
    plain = read(Schedule, "wall", {"every": 60}, Place())
    assert painted().stored() == painted(coats=1).stored() == plain.stored()
    assert painted(coats=2).stored() == {**plain.stored(), "coats": 2}
