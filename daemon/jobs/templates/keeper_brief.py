"""The brief of a keeper that a template forks: what it is told, beside its descriptors.

Only the standard library, because the keeper runs this file too.
"""

import os

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class KeeperBrief:
    """The place and number of a trust page, the limit of descriptors, a file to remove or nothing, and the environment."""

    def __init__(self, page: tuple[int, int], limit: int, remove: str, environment: "Mapping[bytes, bytes]") -> None:
        self.page, self.limit, self.remove, self.environment = page, limit, remove, environment

    def written(self) -> int:
        """Write it to memory, and return the descriptor of that. Raises ValueError for what no environment can have."""
        place, number = self.page
        words = [b"%d" % place, b"%d" % number, b"%d" % self.limit, os.fsencode(self.remove)]
        words += [name + b"=" + value for name, value in self.environment.items()]
        if any(b"\0" in word for word in words) or any(not name or b"=" in name for name in self.environment):
            raise ValueError("a variable of the environment has no name, or contains a NUL character")
        descriptor = os.memfd_create("leased-keeper")
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(b"\0".join(words))
        return descriptor

    @classmethod
    def read(cls, descriptor: int) -> "KeeperBrief":
        """Return the brief that was written there, and close it."""
        with os.fdopen(descriptor, "rb") as file:
            file.seek(0)
            words = file.read().split(b"\0")
        environment = _split(words[4:])
        return cls((int(words[0]), int(words[1])), int(words[2]), os.fsdecode(words[3]), environment)


def _split(entries: "Sequence[bytes]") -> dict[bytes, bytes]:
    pairs = (entry.partition(b"=") for entry in entries)
    return {name: value for name, _, value in pairs}
