"""What follows from what a replica hears: which of its parts wakes (rule 24)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import assert_never

from ...store.notices import Notice
from .length import RoomLeft
from .rest import Rest


@dataclass(frozen=True, slots=True)
class Wakes:
    """The parts of a replica that wake: its loop, its pulse, and its watch for cancels."""

    rest: Rest
    pulse: Callable[[], None]
    cancels: Callable[[], None]
    room: Callable[[], RoomLeft]
    """Whether it may start another run: a full one is not woken, as it looks when one of its own has ended."""
    at_work: Callable[[], Collection[int]]
    """The runs at work in it."""

    def hear(self, notice: Notice) -> None:
        """Wake what the notice is about."""
        match notice.about:
            case "work":
                if self.room().is_left:
                    self.rest.wake_in_turn()
            case "definitions":
                self.pulse()
            case "cancel":
                if notice.run_id in self.at_work():
                    self.cancels()
            case "alive":
                pass
            case _:
                assert_never(notice.about)

    def has_turn(self, seconds: float) -> None:
        """Wake the loop when it is this replica's turn to take a shared lock."""
        self.rest.wake_in(seconds)

    def changed(self) -> None:
        """Wake whatever may have to know. Not the pulse: it writes itself, and would never come to rest."""
        if self.room().is_left:
            self.rest.wake()
        if self.at_work():
            self.cancels()

    def look_again(self) -> None:
        """Wake all."""
        self.rest.wake()
        self.pulse()
        self.cancels()
