"""The base of what people define: each field is a setting, declared once."""

from collections.abc import Mapping
from enum import Enum, auto
from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo


class Mark(Enum):
    """What a field is, beyond what pydantic has words for."""

    TIMING = auto()
    """It decides when a schedule is due: where it changes, planning counts from the change (rule
    13)."""
    EXECUTION = auto()
    """Whoever executes a run goes by it: where it changes, runs made before are of another definition
    (rule 22)."""
    DEFAULT = auto()
    """It may be given once for all schedules and jobs of a file, in `[defaults]`."""
    NAMING = auto()
    """It says in which row of the database a schedule stands, and is no part of what is stored there."""
    PART = auto()
    """No setting: what the definition consists of, such as its name."""


class Definition(BaseModel):
    """What people define. Each field is a setting: its type, its default, and below it a string
    with its meaning.

    From that follow the key in TOML, the keyword in Python, the stored form, the JSON Schema and
    the row in the reference. None means "not given" for each of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[Literal["schedule", "job"]]
    planned: ClassVar[Mapping[tuple[str, str | None], str]] = {}
    """What does not exist yet, a whole setting (None) or a value of it, and what to do instead."""
    always_stored: ClassVar[frozenset[str]]
    """The settings of the first release, which are always stored.

    A later setting is stored only where it differs from its default. Otherwise the release that
    adds it would change the stored form, and thereby the digest, of every definition that does not
    use it.
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

    def says(self, setting: str) -> bool:
        """Return whether a setting was given, here or as a default of the file."""
        return setting in self.model_fields_set

    def stored(self) -> dict[str, Any]:
        """Return the settings as they are stored, fit for JSON."""
        defaults = self._later_defaults()
        return {
            name: value
            for name, value in self.model_dump(mode="json", exclude=self._unstored()).items()
            if name not in defaults or getattr(self, name) != defaults[name]
        }

    @classmethod
    @cache
    def _unstored(cls) -> set[str]:
        return cls.model_fields.keys() - (cls.settings().keys() - cls.settings(Mark.NAMING).keys())

    @classmethod
    @cache
    def _later_defaults(cls) -> Mapping[str, Any]:
        """Return the defaults of the settings that are stored only where they differ from them."""
        later = {name: info for name, info in cls.settings().items() if name not in cls.always_stored}
        return {name: info.get_default(call_default_factory=True) for name, info in later.items()}
