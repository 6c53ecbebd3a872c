"""Reading one setting: each refusal names the place, the value and the remedy in one sentence."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from lease.durations import parse_duration
from lease.errors import InvalidDuration

from ..errors import DefinitionError, InvalidInstant, Place, SettingNotYet
from ..instants import parse_instant
from ..text import nearest, suggestion
from .names import shown

Choice = TypeVar("Choice", bound=str)

LONGEST_DURATION = 100 * 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class Fields:
    """The settings given for one thing, and where they stand; None means "not given"."""

    given: Mapping[str, object]
    place: Place

    def refuse(self, field: str, problem: str, remedy: str) -> DefinitionError:
        return DefinitionError(replace(self.place, field=field), problem, remedy)

    def refuse_unknown(self, known: Collection[str], later: Mapping[str, str]) -> None:
        for field in self.given:
            if field in later and self.given[field] is not None:
                raise SettingNotYet(replace(self.place, field=field), "this setting does not exist yet", later[field])
            if field not in known and field not in later:
                raise self.refuse(field, "there is no such setting", suggestion(field, known))

    def text(self, field: str, default: str = "") -> str:
        value = self.given.get(field)
        if value is None:
            return default
        if not isinstance(value, str) or "\0" in value:
            raise self.refuse(field, f"{shown(value)} is not a text", "put it in quotes")
        return value

    def flag(self, field: str, *, default: bool) -> bool:
        value = self.given.get(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.refuse(field, f"{shown(value)} is neither true nor false", "write one of them, without quotes")
        return value

    def count(self, field: str) -> int:
        value = self.given.get(field)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
            raise self.refuse(field, f"{shown(value)} is not a number of times", "write a whole number, 0 or more")
        return value

    def duration(self, field: str, *, least: float = 0.0) -> float | None:
        value = self.given.get(field)
        if value is None:
            return None
        try:
            seconds = parse_duration(value)  # type: ignore[arg-type]  # it says itself what it does not take
        except InvalidDuration as error:
            problem, _, remedy = str(error).partition("; ")
            raise self.refuse(field, problem, remedy) from None
        if not least <= seconds <= LONGEST_DURATION:
            remedy = "100 years are the most" if seconds > least else f"{least:g} seconds are the least"
            raise self.refuse(field, f"{shown(value)} is too {'long' if seconds > least else 'short'}", remedy)
        return seconds

    def instant(self, field: str) -> datetime | None:
        value = self.given.get(field)
        if value is None:
            return None
        try:
            return parse_instant(value)
        except InvalidInstant as error:
            problem, _, remedy = str(error).partition("; ")
            raise self.refuse(field, problem, remedy) from None

    def choice(
        self, field: str, choices: tuple[Choice, ...], default: Choice, later: Mapping[str, str] | None = None
    ) -> Choice:
        value = self.given.get(field)
        if value is None:
            return default
        for choice in choices:
            if value == choice:
                return choice
        if isinstance(value, str) and later and value in later:
            place = replace(self.place, field=field)
            raise SettingNotYet(place, f'the value "{value}" does not exist yet', later[value])
        raise self.refuse(field, f"there is no choice {shown(value)}", f"use {_either(choices)}")

    def timezone(self, field: str) -> str:
        name = self.text(field, "UTC")
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            zones = _zones()
            near = nearest(name, [*zones, *(zone.rpartition("/")[2] for zone in zones)], 0.75)
            known = [zone for zone in zones if near is not None and (zone == near or zone.endswith(f"/{near}"))]
            remedy = (
                f'did you mean "{known[0]}"?' if known else 'use a name of the IANA list, as "Europe/Berlin" or "UTC"'
            )
            raise self.refuse(field, f'there is no time zone "{name}"', remedy) from None
        return name

    def texts(self, field: str) -> tuple[str, ...]:
        value = self.given.get(field)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
            raise self.refuse(field, f"{shown(value)} is not a list of texts", 'write it like ["a", "b"]')
        return tuple(sorted(value)) if isinstance(value, (set, frozenset)) else tuple(value)

    def table(self, field: str) -> dict[str, Any]:
        """Return a copy that holds only what JSON can."""
        value = self.given.get(field)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.refuse(field, f"{shown(value)} is not a table of names and values", "write it like { key = 1 }")
        try:
            copy: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
        except (TypeError, ValueError) as error:
            remedy = "only texts, numbers, true and false, lists and tables are kept; write others as texts"
            raise self.refuse(field, f"a value in it cannot be stored ({error})", remedy) from None
        return copy


def _either(choices: Iterable[str]) -> str:
    *first, last = (f'"{choice}"' for choice in choices)
    return f"{', '.join(first)} or {last}" if first else last


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())
