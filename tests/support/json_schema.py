"""A validator for the parts of JSON Schema that the published schema uses."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str, date, time),  # a date of TOML is a string to an editor
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
KNOWN = {
    *(
        "$schema",
        "title",
        "description",
        "default",
        "format",
        "writeOnly",
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "pattern",
    ),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "minProperties", "items", "properties", "required"),
    *("additionalProperties", "propertyNames"),
}


def complaints(schema: Mapping[str, Any], value: Any, place: str = "") -> Iterator[str]:
    """Yield the places that an editor would underline."""
    assert set(schema) <= KNOWN, f"{place}: {set(schema) - KNOWN}"
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{place} is no {kind}"
        return
    if "const" in schema and value is not schema["const"]:
        yield f"{place} is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is none of {schema['enum']}"
    for choices, fitting in (("anyOf", range(1, 99)), ("oneOf", range(1, 2))):
        if choices in schema and sum(not list(complaints(one, value)) for one in schema[choices]) not in fitting:
            yield f"{place} fits not {choices}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{place} does not match"
    if isinstance(value, (int, float)):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{place} is out of bounds"
    elif not isinstance(value, (date, time)):
        least = max(schema.get(name, 0) for name in ("minLength", "minItems", "minProperties"))
        if not least <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{place} has another length"
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from complaints(schema["items"], item, f"{place}[{index}]")
    if isinstance(value, dict):
        yield from _in_table(schema, value, place)


def _in_table(schema: Mapping[str, Any], value: dict[str, Any], place: str) -> Iterator[str]:
    yield from (f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, item in value.items():
        yield from complaints(schema.get("propertyNames", {}), name, f"the name {place}.{name}")
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
        if inner is False:
            yield f"{place}.{name} is unknown"
        elif inner is not True:
            yield from complaints(inner, item, f"{place}.{name}")
