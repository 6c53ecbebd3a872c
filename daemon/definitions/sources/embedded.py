"""A replica inside another program, as that program sees it."""

from collections.abc import Mapping
from typing import Protocol

from .keywords import ReplicaKeywords


class EmbeddedReplica(Protocol):
    """What `Schedules.replica` yields. For any thread."""

    @property
    def label(self) -> str:
        """What others see of it: the host and the process id."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it claims runs now: `problems` has none."""
        ...

    @property
    def failure(self) -> str | None:
        """Why it claims nothing any more although the block goes on, if that is so: work that does not end
        although it must (rule 9), or an error that has ended the replica. Nothing but a new start of the program helps.
        """
        ...

    def problems(self) -> Mapping[str, str]:
        """Return a sentence for each check that fails, as `/readyz` of `leased run` does."""
        ...


class EmbeddedKeywords(ReplicaKeywords, total=False):
    """The settings of a replica inside another program."""

    take_over: bool
