"""The wall clock of a replica and its jobs, moved by hours without the monotonic clocks."""

from pathlib import Path

from ..fleet import Slot
from .fault import Scene, SlotFault

MOVES = {"+3h": 10_800.0, "-3h": -10_800.0, "+26h": 93_600.0, "-26h": -93_600.0}
"""The moves, in the form that the library takes, and in seconds."""


def clock_file(folder: Path, slot: str) -> Path:
    """Return the file with the offset of a slot's wall clock."""
    return folder / f"clock-{slot}"


def install_clock(folder: Path, slot: str) -> dict[str, str]:
    """Write that file, and return the variables that make a process read it once a second."""
    clock_file(folder, slot).write_text("+0")
    return {
        "FAKETIME_TIMESTAMP_FILE": str(clock_file(folder, slot)),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }


class MoveWallClock(SlotFault):
    """The wall clock jumps by hours, forward or back."""

    kind = "wall clock moved"
    shortest = 1.5

    @classmethod
    def fits(cls, scene: Scene, slot: Slot) -> bool:
        return slot.preload is not None

    def start(self) -> bool:
        self._set(self.chance.choice(list(MOVES)))
        return True

    def stop(self) -> None:
        self._set("+0")

    def _set(self, offset: str) -> None:
        file = clock_file(self.scene.site.folder, self.slot.name)
        draft = file.with_suffix(".draft")
        draft.write_text(offset)
        draft.rename(file)
