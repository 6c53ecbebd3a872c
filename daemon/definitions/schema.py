"""The JSON Schema of settings as people write them, from which the reference is made too."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class WrittenSettings(GenerateJsonSchema):
    """A JSON Schema without null, for what is not given is left out.

    A title says what a value is, not what its setting is called.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value is not None}


def json_schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model."""
    return model.model_json_schema(schema_generator=WrittenSettings)
