"""What a request asks for, as typed values: its query or its body, checked before the database is asked."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from ...definitions.values.strings import is_storable
from ...errors import DaemonError
from ...instants import duration_of, parse_instant
from ...text import shortened, suggestion, when

MOST = 2**63 - 1
_HIGHEST = 10_000
_SHOWN = 100


class Unfit(DaemonError):
    """A parameter that is not there, or does not have such values."""


def _moment(value: Any) -> datetime | timedelta:
    given = duration_of(value)
    return parse_instant(value) if given is None else given


Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Moment = Annotated[
    datetime | timedelta,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "description": "An instant (RFC 3339), or a duration such as 24h."}),
]
RunId = Annotated[int, Field(ge=1, le=MOST)]
Limit = Annotated[int, Field(ge=1, le=_HIGHEST, description="Maximum number of items.")]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class Parameters(BaseModel):
    """Parameters; each field is one."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


A = TypeVar("A", bound=Parameters)


def checked(model: type[A], given: Mapping[str, Any]) -> A:
    """Return the parameters; raises `Unfit`."""
    for name, value in given.items():
        if isinstance(value, str) and not is_storable(value):
            raise Unfit(f"{shortened(name)}: it has a character that no database takes; leave it out")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Unfit(_sentence(error.errors()[0], model)) from None


def _sentence(details: ErrorDetails, model: type[Parameters]) -> str:
    name = shortened(str(details["loc"][0]))
    match details["type"]:
        case "extra_forbidden":
            return f'there is no parameter "{name}"; {suggestion(name, model.model_fields)}'
        case "missing":
            return f"{name} is missing; give it"
        case "value_error":
            said = str(details["ctx"]["error"])
        case _:
            said = details["msg"][:1].lower() + details["msg"][1:]
    return f"{name}: {said}"


def before_now(now: datetime, name: str, given: datetime | timedelta) -> datetime:
    """Return the moment that is meant, by the database's clock; raises `Unfit`."""
    try:
        found = given if isinstance(given, datetime) else now - given
    except OverflowError:
        raise Unfit(f"{name}: it is too long ago; give a later time") from None
    if found > now:
        raise Unfit(f"{name}: {when(found)} is in the future by the database's clock; give a time in the past")
    return found
