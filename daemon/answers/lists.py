"""The answers that are lists: acts, leases, replicas, backfills, generations, checks; and the JSON Schema of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from ..operations.generations import Changed, GenerationStanding
from ..store.views.acting import ActLine, BackfillLine
from ..store.views.locks import Lock
from ..store.views.replicas import ReplicaLine


@dataclass(frozen=True, slots=True)
class ActivityAnswer:
    """The answer of `leased activity --json`."""

    items: Sequence[ActLine]


@dataclass(frozen=True, slots=True)
class LocksAnswer:
    """The answer of `leased locks --json`."""

    items: list[Lock]


@dataclass(frozen=True, slots=True)
class ReplicasAnswer:
    """The answer of `leased replicas --json`."""

    items: list[ReplicaLine]


@dataclass(frozen=True, slots=True)
class BackfillsAnswer:
    """The answer of `leased backfills --json`."""

    items: Sequence[BackfillLine]


@dataclass(frozen=True, slots=True)
class GenerationsAnswer:
    """The answer of `leased generations --json`."""

    items: list[GenerationStanding]
    diff: list[Changed] | None = None
    """With `--diff`: what the generation changed."""


def schema_of(name: str, answer: type) -> dict[str, Any]:
    """Return the JSON Schema of an answer, a dataclass, that is written as ``name``."""
    made = TypeAdapter(answer).json_schema(mode="serialization")
    made["properties"] = {"schema": {"const": name, "type": "string"}, **made["properties"]}
    made["required"] = ["schema", *made.get("required", ())]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": name}


Level = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    check: str
    level: Level
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorAnswer:
    """The answer of `leased doctor --json`."""

    ok: bool
    """No check is red."""
    items: Sequence[Check]
    """The worst first."""
