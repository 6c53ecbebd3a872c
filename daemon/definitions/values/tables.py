"""Tables whose values JSON can hold."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .refusal import Refusal, shown

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
