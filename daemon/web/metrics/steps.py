"""Work in steps, between which the other threads of the process have a turn."""

from collections.abc import Iterable, Iterator
from time import sleep
from typing import TypeVar

T = TypeVar("T")
_STEP, _REST = 200, 0.0005
"""So many items take a few milliseconds; then others have a turn, as all threads share one interpreter."""


def in_steps(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, and rest now and then."""
    for place, item in enumerate(items):
        if place % _STEP == 0:
            sleep(_REST)
        yield item
