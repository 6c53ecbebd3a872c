"""The registry: all benchmarks, in the order of the page."""

from .measures import (
    children,
    claims,
    commands,
    growth,
    idle,
    locks,
    output,
    planning,
    recovery,
    runs,
    seconds,
    trigger,
)

BENCHMARKS = tuple(
    module.BENCHMARK
    for module in (
        runs,
        claims,
        planning,
        seconds,
        trigger,
        commands,
        children,
        output,
        recovery,
        idle,
        growth,
        locks,
    )
)
KEYS = tuple(one.key for one in BENCHMARKS)
