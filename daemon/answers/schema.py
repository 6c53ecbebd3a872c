"""The JSON Schema of an answer."""

from typing import Any

from pydantic import TypeAdapter


def schema_of(name: str, answer: type) -> dict[str, Any]:
    """Return the JSON Schema of an answer, a dataclass, that is written as ``name``."""
    made = TypeAdapter(answer).json_schema(mode="serialization")
    made["properties"] = {"schema": {"const": name, "type": "string"}, **made["properties"]}
    made["required"] = ["schema", *made.get("required", ())]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": name}
