"""The way from what people gave to a definition, or to the sentence by which it is refused."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import DefinitionError, Place
from ..text import suggestion
from .definition import Definition
from .values.names import check_name
from .values.refusal import Refusal, no_choice, refused_at, shown

D = TypeVar("D", bound=Definition)

_NOTHING: Mapping[str, Refusal] = {}

_UNNAMED = "function"
"""What is wrong with it is said of the job: in TOML `call` names it, in Python it is decorated."""


def read(
    model: type[D],
    name: object,
    given: Mapping[str, object],
    place: Place,
    *,
    others: Collection[str] = (),
    misplaced: Mapping[str, Refusal] = _NOTHING,
    **parts: Any,
) -> D:
    """Return the definition of this name, with the settings that were given; raises
    `DefinitionError`.

    ``parts`` is what it consists of beside its settings. ``others`` are further names that may
    stand where the settings were given, ``misplaced`` those that belong elsewhere. A setting that
    does not exist is refused first: that explains the most.
    """
    with refused_at(place):
        named: dict[str, Any] = {model.kind: check_name(model.kind, name)}
    return read_settings(model, given, replace(place, **named), others=others, misplaced=misplaced, name=name, **parts)


def read_settings(
    model: type[D],
    given: Mapping[str, object],
    place: Place,
    *,
    others: Collection[str] = (),
    misplaced: Mapping[str, Refusal] = _NOTHING,
    **parts: Any,
) -> D:
    """Return what `read` returns, of a model whose name, if it has one, is among ``parts``."""
    known = model.settings()
    for setting, value in given.items():
        if setting in known or ((setting, None) in model.planned and value is None):
            continue
        missing = Refusal("there is no such setting", suggestion(setting, [*known, *others]))
        refusal = _planned(model, setting, None) or misplaced.get(setting, missing)
        raise refusal.at(replace(place, field=setting))
    settings = {setting: value for setting, value in given.items() if setting in known}
    try:
        return model.model_validate({**parts, **settings})
    except ValidationError as error:
        raise translated(error, model, {**parts, **settings}, place) from None


def translated(
    error: ValidationError, model: type[Definition], given: Mapping[str, object], place: Place
) -> DefinitionError:
    """Return the first of what is wrong with what was given, as an error that says where."""
    details = error.errors(include_url=False)[0]
    if not details["loc"]:
        return refusal_of(details, None).at(place)
    setting = str(details["loc"][0])
    value = given.get(setting) if len(details["loc"]) == 1 else details["input"]
    refusal = _planned(model, setting, value) or refusal_of(details, value)
    return refusal.at(place if setting == _UNNAMED else replace(place, field=setting))


def refusal_of(details: ErrorDetails, value: object) -> Refusal:
    """Return in our words what pydantic found wrong with a value."""
    context: Mapping[str, Any] = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return Refusal.of(context["error"])
        case "literal_error":
            return no_choice(value, re.findall("'(.*?)'", context["expected"]))
        case "string_type":
            return Refusal(f"{shown(value)} is not a string", "put it in quotes")
        case "bool_type":
            return Refusal(f"{shown(value)} is neither true nor false", "write one of them, without quotes")
        case "int_type":
            return Refusal(f"{shown(value)} is not a whole number", "write digits only, without quotes")
        case "greater_than_equal":
            return Refusal(f"{shown(value)} is too small", f"write {context['ge']:,} or more")
        case "less_than_equal":
            return Refusal(f"{shown(value)} is too large", f"write {context['le']:,} or less")
        case _:
            said = details["msg"]
            return Refusal(f"{shown(value)} cannot be taken: {said[:1].lower()}{said[1:]}", "see the reference")


def _planned(model: type[Definition], setting: str, value: object) -> Refusal | None:
    if value is not None and not isinstance(value, str):
        return None
    remedy = model.planned.get((setting, value))
    what = "this setting" if value is None else f'the value "{value}"'
    return Refusal(f"{what} does not exist yet", remedy, planned=True) if remedy else None
