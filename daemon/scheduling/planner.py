"""The planner of a replica: it plans what is due while the clock can be trusted (rule 13)."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from lease.clock import boottime
from lease.database.database import Database

from ..definitions.schedule import Schedule
from ..telemetry.facts import Note, Notify, TimesSkipped
from .plan_due import PlanReport, plan_due
from .trusted_time import ClockJumped, Trusts, by_trusted_time
from .wall_clock import WallClock


class Planner:
    """Plans the schedules of one application.

    ``others`` returns the names of schedules of the application that are not among them, as far as
    they were met. ``called`` returns the name of the schedule in a row. ``wall_clock`` is given if the database has no clock of its own.
    """

    def __init__(
        self,
        database: Database,
        application: str,
        schedules: Mapping[str, Schedule],
        notify: Notify,
        wall_clock: WallClock | None = None,
        *,
        others: Callable[[], Collection[str]] = tuple,
        called: Callable[[str], str] = str,
    ) -> None:
        self._database = database
        self._application = application
        self._schedules = schedules
        self._others = others
        self._called = called
        self._notify = notify
        self._wall_clock = wall_clock
        self._reported: set[str] = set()
        self.has_more = False
        """The last call has not planned all that was due."""
        self.made = 0
        """The number of runs that it has planned."""

    async def plan(self, database_time: datetime) -> bool:
        """Plan what is due, as much as one transaction may; return False where a jump of the clock stands in the way.

        On SQLite ``database_time`` is the machine's clock.
        """
        self.has_more, self.made = False, 0
        if not self.trusts(database_time):
            return False
        try:
            report = await self._database.write(by_trusted_time(self._plan_due, self.guard))
        except ClockJumped:
            return False
        for (key, reason), count in report.skipped.items():
            self._notify(TimesSkipped(self._application, self._called(key), reason, count))
        self._report_faults(report)
        self.has_more, self.made = report.more, report.made
        return True

    def _plan_due(self, connection: Connection) -> PlanReport:
        return plan_due(connection, self._application, self._schedules, others=self._others())

    @property
    def guard(self) -> Trusts | None:
        """The judge of the database's time, for `by_trusted_time`; None where that can always be trusted."""
        return None if self._wall_clock is None else self.trusts

    def trusts(self, database_time: datetime) -> bool:
        """Return whether planning may trust this time; report a jump of the clock."""
        if self._wall_clock is None:
            return True
        judgement = self._wall_clock.judge(database_time.timestamp(), boottime())
        if judgement.note is not None:
            self._notify(Note(judgement.note, is_warning=not judgement.trusted))
        return judgement.trusted

    def _report_faults(self, report: PlanReport) -> None:
        """Report, once, what planning could not do; what it did is in the table of runs."""
        faults = {f'schedule "{name}": {why}' for name, why in report.unreadable.items()}
        if report.doubled:
            faults.add(
                f"{report.doubled} scheduled times already had a run: "
                "two replicas planned the same schedule at once, which is a bug in leased"
            )
        for fault in faults - self._reported:
            self._notify(Note(fault, is_warning=True))
        self._reported |= faults
