"""The base of what people define: each field is a setting, declared once.

And the way to it from what people gave, or to the sentence by which that is refused.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ..errors import DefinitionError, Mistakes, Place, together
from ..text import suggestion
from .values.refusal import Refusal, no_choice, refused_at, shown
from .values.strings import check_name


def sha256_of(value: object) -> str:
    """Return a SHA-256 of what JSON can hold, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Mark(Enum):
    """What a field is, beyond what pydantic has words for."""

    TIMING = auto()
    """It decides when a schedule is due: where it changes, planning counts from the change (rule 13)."""
    EXECUTION = auto()
    """Whoever executes a run goes by it: where it changes, runs made before are of another definition (rule 22)."""
    DEFAULT = auto()
    """It may be given once for all schedules and jobs of a file, in `[defaults]`."""
    NAMING = auto()
    """It says in which row of the database a schedule stands, and is no part of what is stored there."""
    PART = auto()
    """No setting: what the definition consists of, such as its name."""


class Definition(BaseModel):
    """What people define. Each field is a setting: its type, its default, and below it a string with its meaning.

    From that follow the key in TOML, the keyword in Python, the stored form, the JSON Schema and the row in the
    reference. None means "not given" for each of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[Literal["schedule", "job"]]
    always_stored: ClassVar[frozenset[str]]
    """The settings of the first release, which are always stored.

    A later setting is stored only where it differs from its default. Otherwise the release that adds it would change
    the stored form, and thereby the digest, of every definition that does not use it.
    """

    @model_validator(mode="before")
    @classmethod
    def _none_is_not_given(cls, given: Mapping[str, object]) -> dict[str, object]:
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    @cache
    def settings(cls, mark: Mark | None = None) -> Mapping[str, FieldInfo]:
        """Return the settings by name; with ``mark`` those that have it."""
        return {
            name: info
            for name, info in cls.model_fields.items()
            if Mark.PART not in info.metadata and (mark is None or mark in info.metadata)
        }

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, without what was computed of this one."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied

    def stored(self) -> dict[str, Any]:
        """Return the settings as they are stored, fit for JSON."""
        settings = self.settings()
        stored = self.model_dump(mode="json", include=settings.keys() - self.settings(Mark.NAMING).keys())
        return {
            name: value
            for name, value in stored.items()
            if name in self.always_stored
            or getattr(self, name) != settings[name].get_default(call_default_factory=True)
        }


D = TypeVar("D", bound=Definition)

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


def read(model: type[D], name: object, given: Mapping[str, object], place: Place, **how: Any) -> D:
    """Return the definition of this name; ``how`` is what `read_settings` takes besides. Raises `DefinitionError`."""
    mistakes, own, checked = Mistakes(), place, str(model.kind)
    with mistakes, refused_at(place):
        checked = check_name(model.kind, name)
        named: dict[str, Any] = {model.kind: checked}
        own = replace(place, **named)
    with mistakes:
        made = read_settings(model, given, own, name=checked, **how)
    mistakes.refuse()
    return made


def read_settings(
    model: type[D],
    given: Mapping[str, object],
    place: Place,
    *,
    others: Collection[str] = (),
    misplaced: Mapping[str, Refusal] = MappingProxyType({}),
    **parts: Any,
) -> D:
    """Return a definition with the settings that were given; raises `DefinitionError`.

    ``parts`` is what it consists of beside its settings, such as its name. ``others`` are further names that may stand
    where the settings were given, ``misplaced`` those that belong elsewhere. A setting that does not exist is refused
    first: that explains the most.
    """
    known, mistakes = model.settings(), Mistakes()
    for setting in given:
        if setting in known:
            continue
        ours = _ELSEWHERE.get(setting, setting)
        near = suggestion(ours, [ours] if ours in misplaced else [*known, *others])
        missing = Refusal("there is no such setting", near)
        mistakes.note(misplaced.get(setting, missing).at(replace(place, field=setting)))
    settings = {setting: value for setting, value in given.items() if setting in known}
    made: D | None = None
    try:
        made = model.model_validate({**parts, **settings})
    except ValidationError as error:
        for details in firsts(error):
            if details["loc"] or not mistakes.found:  # a setting that is misspelt may be the one that is missing
                mistakes.note(translated(details, {**parts, **settings}, place))
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


def translated(details: ErrorDetails, given: Mapping[str, object], place: Place) -> DefinitionError:
    """Return what pydantic found wrong with what was given, as an error that says where."""
    setting, *within = map(str, details["loc"] or [_UNNAMED])
    value = details["input"] if within else given.get(setting)
    return _refusal_of(details, value).at(place if setting == _UNNAMED else replace(place, field=setting))


def _refusal_of(details: ErrorDetails, value: object) -> Refusal:
    context: Mapping[str, Any] = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            error = context["error"]
            problem, _, remedy = str(error).partition("; ")
            return error if isinstance(error, Refusal) else Refusal(problem, remedy)
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
