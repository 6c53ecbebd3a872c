"""How a value is read, and its refusal before it is known where it stands: what is wrong, and what to do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FunctionType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ...errors import DefinitionError, Place


class Refusal(ValueError):
    """Raised by what reads a value. `read` makes a `DefinitionError` of it, which says where."""

    def __init__(self, problem: str, remedy: str, *, field: str | None = None) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.field = field
        """The setting to name, where several do not fit together."""

    def at(self, place: Place) -> DefinitionError:
        """Return the error for a value that stands there."""
        return DefinitionError(replace(place, field=self.field) if self.field else place, self.problem, self.remedy)


def read_by(read: Callable[[Any], object], written: Any, title: str) -> BeforeValidator:
    """Return the validator that keeps what ``read`` returns; people write it as ``written`` and ``title`` say."""
    return BeforeValidator(read, json_schema_input_type=Annotated[written, Field(title=title)])


@contextmanager
def refused_at(place: Place) -> Iterator[None]:
    """Turn a `Refusal` into the error that says where it stands."""
    try:
        yield
    except Refusal as refusal:
        raise refusal.at(place) from None


def no_choice(value: object, choices: Sequence[str]) -> Refusal:
    """Return the refusal of what is none of the choices."""
    *first, last = (f'"{choice}"' for choice in choices)
    return Refusal(f"{shown(value)} is not a choice", f"use {', '.join(first)}{' or ' if first else ''}{last}")


def shown(value: object) -> str:
    """Return ``value`` as a sentence shows it, shortened."""
    try:
        if isinstance(value, FunctionType):  # its repr has an address, which differs each time that FILE is loaded
            return f"the function {value.__name__}"
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except RecursionError:
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:79]}…"
