"""The facts of a history. All times are the database's (UTC), unless a fact says otherwise."""

from .leases import Deleted, FencedWriteRefused, GrantBegan, GrantEnded, GrantRenewed, HighestToken, Worked, Written
from .outside import ClockJump, Outage, Starved, starved
from .runs import (
    BackfillRecorded,
    Due,
    Recorded,
    RunClaimed,
    RunLeft,
    RunMarked,
    RunRedefined,
    RunSettled,
    RunStranded,
    ScheduleProgress,
)

Fact = (
    GrantBegan
    | GrantRenewed
    | GrantEnded
    | Deleted
    | HighestToken
    | Written
    | FencedWriteRefused
    | Worked
    | RunClaimed
    | RunRedefined
    | RunLeft
    | RunSettled
    | RunStranded
    | Due
    | ScheduleProgress
    | Recorded
    | RunMarked
    | BackfillRecorded
    | Outage
    | Starved
    | ClockJump
)

__all__ = [
    "BackfillRecorded",
    "ClockJump",
    "Deleted",
    "Due",
    "Fact",
    "FencedWriteRefused",
    "GrantBegan",
    "GrantEnded",
    "GrantRenewed",
    "HighestToken",
    "Outage",
    "Recorded",
    "RunClaimed",
    "RunLeft",
    "RunMarked",
    "RunRedefined",
    "RunSettled",
    "RunStranded",
    "ScheduleProgress",
    "Starved",
    "Worked",
    "Written",
    "starved",
]
