"""The parameters of one run: those that its schedule declares, with the given ones put over them."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from ..text import suggestion
from .values.refusal import Refusal, shown
from .values.strings import read_table, refuse_large

_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a table",
    type(None): "null",
}


def fitting(
    schedule: str, declared: Mapping[str, Any], given: Mapping[str, Any], secrets: Collection[str] = ()
) -> dict[str, Any]:
    """Return the parameters of a run of ``schedule``: ``given`` over those that are ``declared``. No
    sentence shows the values of ``secrets``.

    Raises `Refusal` for one that is not declared, for one of another type than its declared value (a
    whole number goes for a number, and anything for null), and for what is no JSON, or too much.
    """
    params = read_table(given)
    for name, value in params.items():
        default = _declared(schedule, declared, name)
        is_whole_number = isinstance(default, float) and type(value) is int
        if default is not None and type(value) is not type(default) and not is_whole_number:
            raise _of_another_type(name, default, value, secrets)
    whole = {**declared, **params}
    refuse_large(whole)
    return whole


def parsed(
    schedule: str, declared: Mapping[str, Any], words: Mapping[str, str], secrets: Collection[str] = ()
) -> dict[str, Any]:
    """Return parameters that were written as words, each read as what its declared value is: a string
    as it stands, anything else as JSON; where null is declared, JSON if it is that.

    Raises `Refusal`.
    """
    params: dict[str, Any] = dict(words)
    for name, text in words.items():
        default = _declared(schedule, declared, name)
        if isinstance(default, str):
            continue
        try:
            params[name] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            if default is not None:
                raise _of_another_type(name, default, text, secrets) from None
    return params


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _declared(schedule: str, declared: Mapping[str, Any], name: str) -> Any:
    if name not in declared:
        problem = f'"{schedule}" declares no parameter {shown(name)}'
        near = suggestion(name, declared) if declared else "give it a default in `params` of the schedule"
        raise Refusal(problem, near, field="params")
    return declared[name]


def _of_another_type(name: str, declared: Any, value: Any, secrets: Collection[str]) -> Refusal:
    problem = f'the parameter "{name}" is {_KINDS[type(declared)]}, like its default'
    if name not in secrets:
        problem += f" {shown(declared)}, not {shown(value)}"
    return Refusal(problem, "give one of that type", field="params")
