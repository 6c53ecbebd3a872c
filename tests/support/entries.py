"""Entries of replicas, as this process makes them."""

from dataclasses import replace
from pathlib import Path

from daemon.definitions.application import Application
from daemon.recovery.registry import ReplicaEntry, entry_of


def own_entry(holder: str, application: str, digest: str | None = None) -> ReplicaEntry:
    """Return the entry of this process, with what can be known without the definitions."""
    return replace(entry_of(Application(application, Path(), ()), holder), digest=digest)
