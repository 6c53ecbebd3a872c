"""The OpenAPI document, made from the table of endpoints and from the schemas of `--json`."""

from collections.abc import Iterable
from typing import Any

from ...answers.questions import schema_of
from ...version import package_version
from .endpoints import Endpoint

_REFUSALS = {
    "401": "The token is missing or wrong.",
    "403": "The token only reads, or the request comes from elsewhere.",
    "404": "There is nothing of this name or number.",
    "421": "The host is not one of this server.",
    "422": "A parameter is unknown, or its value does not fit.",
    "503": "The database does not answer in time.",
}
_OF_ACTS = {
    "409": "The present state does not allow it.",
    "415": "The content is not JSON.",
}


def document(root: str, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document, OpenAPI 3.1."""
    schemas: dict[str, Any] = {
        "Error": {
            "type": "object",
            "properties": {"error": {"type": "string", "description": "One sentence: what is wrong, and the remedy."}},
            "required": ["error"],
        }
    }
    paths: dict[str, Any] = {}
    for one in endpoints:
        made = schema_of(one.schema, one.answers[2])
        del made["$schema"]
        name = one.answers[0]
        schemas[name] = _moved(made, f"#/components/schemas/{name}/$defs/")
        paths.setdefault(f"{root}{one.path}", {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "leased",
            "version": package_version(),
            "description": "Questions and acts of leased over HTTP.",
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(one: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    asked = one.asks.model_json_schema()
    command = one.answers[0]
    answer = {"$ref": f"#/components/schemas/{command}"}
    refusals = _REFUSALS if one.method == "GET" else {**_REFUSALS, **_OF_ACTS}
    responses: dict[str, Any] = {
        "200": {"description": f"As `leased {command} --json`.", "content": {"application/json": {"schema": answer}}}
    }
    if one.cursor is not None:
        said = {"description": 'The next page, with rel="next", if there is one.', "schema": {"type": "string"}}
        responses["200"]["headers"] = {"Link": said}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses |= {status: {"description": said, "content": error} for status, said in sorted(refusals.items())}
    made: dict[str, Any] = {"operationId": command, "summary": one.summary, "responses": responses}
    if one.method == "GET":
        made["parameters"] = _parameters(one, asked)
    else:
        schemas[one.asks.__name__] = asked
        body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{one.asks.__name__}"}}}
        made["requestBody"] = {"required": True, "content": body}
    return made


def _parameters(one: Endpoint, asked: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, schema in asked["properties"].items():
        in_path = f"{{{name}}}" in one.path
        described = {"description": schema.pop("description")} if "description" in schema else {}
        place = {"name": name, "in": "path" if in_path else "query", "required": in_path}
        found.append({**place, **described, "schema": schema})
    return found


def _moved(schema: Any, to: str) -> Any:
    """Return a schema whose references to its own definitions are right at another place."""
    match schema:
        case dict():
            return {
                key: value.replace("#/$defs/", to) if key == "$ref" and isinstance(value, str) else _moved(value, to)
                for key, value in schema.items()
            }
        case list():
            return [_moved(one, to) for one in schema]
        case _:
            return schema
