"""The values of the metrics of schedules, from what was read of the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...operations.deadlines import success_deadline
from ...states import LONG_LEVELS
from ...store.policies import Policies
from ...store.tables import ScheduleKey
from ...store.views.fleet import Fleet, ScheduleFacts, Unfinished
from ...store.views.lately import LeftOut
from ...store.views.usual import ENOUGH_RUNS, Usual, long_for
from .steps import in_steps

_NOTHING, _NOT_LEFT_OUT = Unfinished(), LeftOut()


@dataclass(frozen=True, slots=True)
class ScheduleValues:
    """The labels of a schedule, and its values by what comes after ``leased_schedule_``."""

    labels: Mapping[str, str]
    info: Mapping[str, str]
    """More labels, of `leased_schedule_info`."""
    values: Mapping[str, float]


def values(fleet: Fleet, known: Mapping[str, Policies], usual: Mapping[ScheduleKey, Usual]) -> list[ScheduleValues]:
    """Return the values of each schedule."""
    return [
        _values(
            one,
            known[one.digest],
            usual.get(key := (one.application, one.schedule)),
            fleet.unfinished.get(key, _NOTHING),
            fleet.left_out.get(key, _NOT_LEFT_OUT),
        )
        for one in in_steps(fleet.schedules)
    ]


def _values(
    one: ScheduleFacts, known: Policies, usual: Usual | None, unfinished: Unfinished, left_out: LeftOut
) -> ScheduleValues:
    info = {
        "timing": one.timing,
        "timezone": known.timezone,
        "overlap": known.overlap,
        "catch_up": known.catch_up,
        "enabled": str(known.enabled).lower(),
    }
    instants = {
        "next_due": one.next_due,
        "last_due": one.last_due,
        "last_success": one.last_success,
        "last_end": one.last_end,
        "success_deadline": success_deadline(one, known, usual),
    }
    is_known = usual is not None and usual.runs >= ENOUGH_RUNS
    long = long_for(unfinished.longest, known.long, usual)
    overdue = 0.0 if one.paused else max(0.0, one.late_for)
    return ScheduleValues(
        {"application": one.application, "schedule": one.schedule},
        info,
        {
            "info": 1,
            **{f"{name}_timestamp_seconds": at for name, at in instants.items() if at is not None},
            **(_usual(usual) if usual is not None and is_known else {}),
            "paused": float(one.paused),
            "running_runs": unfinished.running,
            "late_seconds": max(overdue, unfinished.waits),
            "consecutive_failures": one.failures,
            "longest_running_seconds": unfinished.longest,
            "long_running_level": 0 if long is None else 1 + LONG_LEVELS.index(long.level),
            "missed_times": left_out.missed,
            "overlapped_times": left_out.overlapped,
        },
    )


def _usual(usual: Usual) -> Mapping[str, float]:
    return {
        "expected_duration_seconds": usual.p95,
        "median_duration_seconds": usual.median,
        "median_wait_seconds": usual.median_wait,
    }
