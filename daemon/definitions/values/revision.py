"""Revisions: integers that order the definitions of an application (rule 21)."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from .refusal import Refusal, shown

GREATEST = 2**63 - 1


def check_revision(value: object) -> int:
    """Return ``value`` as a revision; raises `Refusal`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= GREATEST:
        raise Refusal(f"{shown(value)} is not a revision", f"give a whole number from 0 to {GREATEST}")
    return int(value)


def parse_revision(value: object) -> int:
    """Return a revision that may be written as a string, as in the environment; raises `Refusal`."""
    text = value.strip() if isinstance(value, str) else ""
    return check_revision(int(text) if text.isascii() and text.isdigit() and len(text) < 30 else value)


def check_required(value: object) -> bool:
    """Return whether the highest living revision is required; raises `Refusal`."""
    if not isinstance(value, bool):
        raise Refusal(f"{shown(value)} is neither true nor false", "give true or false, without quotes")
    return value


Revision = Annotated[
    int, BeforeValidator(parse_revision, json_schema_input_type=Annotated[int, Field(ge=0, le=GREATEST)])
]
"""A revision as a setting."""
