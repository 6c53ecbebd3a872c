"""An imported crontab: the schedules it became, the comments kept, and what is to be said of its lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LineRemark:
    """What differs from cron in some lines, or why they were lost; without lines, in all of it."""

    lines: tuple[int, ...]
    text: str
    lost: bool = False
    """Nothing of these lines is in the schedules."""


@dataclass(frozen=True, slots=True)
class KeptComment:
    """A comment of the crontab that describes no schedule, or a line that became none."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportedSchedule:
    """A line of a crontab as a schedule with one job, which has its name."""

    line: int
    schedule: str
    timing: str
    timezone: str
    command: str | Sequence[str]
    description: str = ""
    comments: tuple[str, ...] = ()
    jitter: int = 0
    """Minutes."""
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedCrontab:
    """What a crontab became, in the order of its lines."""

    timezone: str
    """That of the machine."""
    parts: tuple[ImportedSchedule | KeptComment, ...]
    remarks: tuple[LineRemark, ...]

    @property
    def schedules(self) -> list[ImportedSchedule]:
        return [part for part in self.parts if isinstance(part, ImportedSchedule)]

    @property
    def lost(self) -> list[int]:
        """The numbers of the lines that were lost."""
        return sorted({line for remark in self.remarks if remark.lost for line in remark.lines})
