"""Strings, lists of them, and tables whose values JSON can hold, as settings have them."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from .refusal import Refusal, shown


def is_storable(text: str) -> bool:
    """Return whether databases and operating systems take this string."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_text(text: str) -> str:
    """Return ``text``; raises `Refusal` if it cannot be stored."""
    if not is_storable(text):
        raise Refusal(f"{shown(text)} has a character that cannot be stored", "leave it out")
    return text


def read_strings(value: object) -> tuple[str, ...]:
    """Return strings in the order of a list, or those of a set sorted; raises `Refusal`."""
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
        raise Refusal(f"{shown(value)} is not a list of strings", 'write it like ["a", "b"]')
    return tuple(map(check_text, sorted(value) if isinstance(value, (set, frozenset)) else value))


Text = Annotated[str, Strict(), AfterValidator(check_text)]
Folder = Annotated[Text | None, AfterValidator(lambda path: path or None), Field(title="a folder")]
Strings = Annotated[
    tuple[str, ...],
    BeforeValidator(read_strings, json_schema_input_type=Sequence[str]),
    Field(title="a list of strings"),
]


DEEPEST_TABLE = 100
MOST_BYTES = 1_000_000
"""Of the parameters of a run, as JSON."""


def read_table(value: object) -> dict[str, Any]:
    """Return a copy that holds only what JSON can, its keys in their order; raises `Refusal`."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Refusal(f"{shown(value)} is not a table of names and values", "write it like { key = 1 }")
    if _is_deeper(value, DEEPEST_TABLE):
        raise Refusal(f"its lists and tables are nested more than {DEEPEST_TABLE} deep", "make it flatter")
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("a string in it has a character that cannot be stored", "leave it out") from None
    except (TypeError, ValueError) as error:
        remedy = "only strings, numbers, true and false, lists and tables can be stored; write others as strings"
        raise Refusal(f"a value in it cannot be stored ({error})", remedy) from None
    return dict(json.loads(text))


def refuse_large(params: Mapping[str, Any]) -> None:
    """Raise `Refusal` if these parameters of a run are larger than a run may have."""
    size = len(json.dumps(dict(params)))
    if size > MOST_BYTES:
        problem = f"the parameters have {size:,} bytes as JSON, but at most {MOST_BYTES:,} are allowed"
        raise Refusal(problem, "store larger data elsewhere, and pass its address", field="params")


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, (Mapping, list, tuple)):
        return False
    items = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)


Table = Annotated[
    dict[str, Any],
    BeforeValidator(read_table, json_schema_input_type=Mapping[str, Any]),
    Field(title="a table of JSON values"),
]
