"""The answers that are lists: acts, leases, replicas, backfills."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..store.views import ActLine, BackfillLine, Lock, ReplicaLine


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
