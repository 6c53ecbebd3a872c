"""The way from what people gave to a definition, or to the sentence by which it is refused."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import DefinitionError, Mistakes, Place, together
from ..text import suggestion
from .definition import Definition
from .values.names import check_name
from .values.refusal import Refusal, no_choice, refused_at, shown

D = TypeVar("D", bound=Definition)

_NOTHING: Mapping[str, Refusal] = {}

_ELSEWHERE = {
    theirs: ours
    for ours, names in {
        "at": "run_date",
        "backoff": "retry_backoff",
        "catch_up": "coalesce",
        "ends": "end_date",
        "every": "weeks days hours minutes seconds interval",
        "overlap": "max_instances concurrencyPolicy",
        "params": "args kwargs",
        "retries": "max_retries backoffLimit",
        "start_within": "misfire_grace_time startingDeadlineSeconds expires",
        "starts": "start_date",
        "timeout": "time_limit soft_time_limit",
    }.items()
    for theirs in names.split()
}
"""What other schedulers call our settings."""

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
    mistakes, own, checked = Mistakes(), place, str(model.kind)
    with mistakes, refused_at(place):
        checked = check_name(model.kind, name)
        named: dict[str, Any] = {model.kind: checked}
        own = replace(place, **named)
    with mistakes:
        made = read_settings(model, given, own, others=others, misplaced=misplaced, name=checked, **parts)
    mistakes.refuse()
    return made


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
    known, mistakes = model.settings(), Mistakes()
    for setting, value in given.items():
        if setting in known or ((setting, None) in model.planned and value is None):
            continue
        ours = _ELSEWHERE.get(setting, setting)
        near = suggestion(ours, [ours] if ours in misplaced else [*known, *others])
        missing = Refusal("there is no such setting", near)
        refusal = _planned(model, setting, None) or misplaced.get(setting, missing)
        mistakes.note(refusal.at(replace(place, field=setting)))
    settings = {setting: value for setting, value in given.items() if setting in known}
    made: D | None = None
    try:
        made = model.model_validate({**parts, **settings})
    except ValidationError as error:
        for details in firsts(error):
            if details["loc"] or not mistakes.found:  # a setting that is misspelt may be the one that is missing
                mistakes.note(translated(details, model, {**parts, **settings}, place))
    if mistakes.found or made is None:
        raise together(mistakes.found) from None
    return made


def firsts(error: ValidationError) -> Sequence[ErrorDetails]:
    """Return the first of what is wrong with each setting."""
    found: dict[object, ErrorDetails] = {}
    for details in error.errors(include_url=False):
        if details["type"] != "default_factory_not_called":  # it depends on another, which is wrong
            found.setdefault(details["loc"][:1], details)
    if (_UNNAMED,) in found or ("command",) in found:
        found.pop(("isolation",), None)
    return list(found.values())


def translated(
    details: ErrorDetails, model: type[Definition], given: Mapping[str, object], place: Place
) -> DefinitionError:
    """Return what pydantic found wrong with what was given, as an error that says where."""
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
            return Refusal(f"{shown(value)} is not valid: {said[:1].lower()}{said[1:]}", "see the reference")


def _planned(model: type[Definition], setting: str, value: object) -> Refusal | None:
    if value is not None and not isinstance(value, str):
        return None
    remedy = model.planned.get((setting, value))
    what = "this setting" if value is None else f'the value "{value}"'
    return Refusal(f"{what} does not exist yet", remedy, planned=True) if remedy else None
