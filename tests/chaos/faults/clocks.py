"""The wall clock of one replica and of its jobs, moved by hours (libfaketime; the monotonic clocks stand)."""

from pathlib import Path

from ..fleet import Slot
from .fault import Scene, SlotFault

MOVES = {"+3h": 10_800.0, "-3h": -10_800.0, "+26h": 93_600.0, "-26h": -93_600.0}
"""As the library takes them, and in seconds."""
PLACES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")


def library() -> str | None:
    """libfaketime for programs with threads; None where it is not installed."""
    found = [Path(place) / "libfaketimeMT.so.1" for place in PLACES]
    return next((str(path) for path in found if path.exists()), None)


def clock_file(folder: Path, slot: str) -> Path:
    """The file that says how far a slot's wall clock is off."""
    return folder / f"clock-{slot}"


def install_clock(folder: Path, slot: str) -> dict[str, str]:
    """Make that file, and return what makes a process that has preloaded the library look into it once a second."""
    clock_file(folder, slot).write_text("+0")
    return {
        "FAKETIME_TIMESTAMP_FILE": str(clock_file(folder, slot)),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }


class MoveWallClock(SlotFault):
    """Hours forward or back, in the middle of whatever goes on."""

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
