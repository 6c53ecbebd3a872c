"""Strings, and lists of them, that can be stored."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from .refusal import Refusal, shown


def is_storable(text: str) -> bool:
    """Return whether databases and operating systems take this string."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_text(text: str) -> str:
    """Return ``text``; raises `Refusal` if it cannot be stored."""
    if not is_storable(text):
        raise Refusal(f"{shown(text)} has a character that cannot be stored", "leave it out")
    return text


def read_strings(value: object) -> tuple[str, ...]:
    """Return strings in the order of a list, or those of a set sorted; raises `Refusal`."""
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
        raise Refusal(f"{shown(value)} is not a list of strings", 'write it like ["a", "b"]')
    return tuple(map(check_text, sorted(value) if isinstance(value, (set, frozenset)) else value))


Text = Annotated[str, Strict(), AfterValidator(check_text)]
Folder = Annotated[Text | None, AfterValidator(lambda path: path or None), Field(title="a folder")]
Strings = Annotated[
    tuple[str, ...],
    BeforeValidator(read_strings, json_schema_input_type=Sequence[str]),
    Field(title="a list of strings"),
]
