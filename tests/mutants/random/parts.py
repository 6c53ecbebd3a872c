"""The parts of the product that mutants are drawn from, and the tests that are to catch them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """Rooms of a package, without the folders in them that stay as they were released, and the tests of them."""

    package: str
    rooms: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()

    def has(self, file: str) -> bool:
        return _is_in(file, self.rooms) and not _is_in(file, self.without)

    def texts(self, tree: Path) -> dict[str, str]:
        """Return its files in this tree by their paths there."""
        found = sorted(path for room in self.rooms for path in (tree / room).rglob("*.py"))
        texts = {str(path.relative_to(tree)): path for path in found}
        return {file: path.read_text(encoding="utf-8") for file, path in texts.items() if self.has(file)}


def _is_in(file: str, folders: tuple[str, ...]) -> bool:
    return file.startswith(tuple(f"{folder}/" for folder in folders))


PARTS: Mapping[str, Part] = {
    "lease": Part("lease", ("lease",), ("tests/lease", "tests/model", "tests/daemon")),
    "daemon": Part(
        "daemon",
        ("daemon/scheduling", "daemon/execution", "daemon/recovery", "daemon/store"),
        ("tests/daemon",),
        without=("daemon/store/migrations/versions",),
    ),
}
