"""The flags of the settings, made from their declarations."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from ..service.settings import Flag, Settings, flag_of


def with_setting_flags(command: Callable[..., int]) -> Callable[..., int]:
    """Return a command with a flag for each setting that has one.

    ``command`` receives them as its first argument: a dict by the name of the setting.
    """
    flags = {name: flag for name in Settings.model_fields if (flag := flag_of(name)) is not None}

    @wraps(command)
    def called(**given: Any) -> int:
        return command({name: given.pop(name) for name in flags}, **given)

    _, *own = inspect.signature(command).parameters.values()
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(flag, Settings.model_fields[name])
        )
        for name, flag in flags.items()
    ]
    called.__signature__ = inspect.Signature([*own, *added], return_annotation=int)  # type: ignore[attr-defined]
    return called


def _option(flag: str, field: FieldInfo) -> Any:
    meaning = " ".join((field.description or "").replace("`", "").split())
    option = typer.Option(flag, metavar=_value(field), help=meaning, show_default=False)
    return Annotated[str | None, option]  # a string, so that the settings parse it and report what is wrong


def _value(field: FieldInfo) -> str:
    own = next((mark.value for mark in field.metadata if isinstance(mark, Flag)), "")
    if own:
        return own
    types = (field.annotation, *get_args(field.annotation))
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    if any(kind is float or (get_origin(kind) is Annotated and get_args(kind)[0] is float) for kind in types):
        return "DURATION"
    return "N" if int in types else "TEXT"
