"""The measuring of one part, and what its figures depend on."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from time import monotonic

from .benchmark import Benchmark
from .document import Part
from .machine import Machine
from .site import Site


def measure_part(benchmark: Benchmark, site: Site, machine: Machine) -> Part:
    """Measure one benchmark."""
    began = monotonic()
    figures = tuple(benchmark.measure(site))
    return Part(
        day=datetime.now(UTC).date().isoformat(),
        quick=site.quick,
        seconds=round(monotonic() - began, 1),
        machine=asdict(machine),
        versions=_versions(site, benchmark.beside),
        figures=figures,
        left_out=tuple(site.left_out),
    )


def _versions(site: Site, beside: Sequence[str]) -> dict[str, str]:
    versions = {"leased": metadata.version("leased"), "Python": sys.version.split()[0]}
    for store in site.stores:
        facts = store.facts
        durable = "" if facts.durable else " (NOT DURABLE: a commit may be lost in a crash)"
        versions[facts.database] = facts.version + durable
    for name in beside:
        try:
            versions["redis-py" if name == "redis" else name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
