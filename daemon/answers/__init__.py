"""The answers to questions and acts, as `--json` and the API give them: one object each."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

A = TypeVar("A")


@dataclass(frozen=True)  # with slots, Python 3.11 cannot call `Items[…]`
class Items(Generic[A]):
    """An answer that is a list, and nothing else."""

    items: Sequence[A]


def filled(answer: type[A], *sources: object, **own: Any) -> A:
    """Return an answer, a dataclass: each field is its ``own``, or that of the first of ``sources`` that has it."""
    named: Any = answer
    left = [field.name for field in fields(named) if field.name not in own]
    return answer(**own, **{name: getattr(next(one for one in sources if hasattr(one, name)), name) for name in left})
