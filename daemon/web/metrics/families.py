"""The families of metrics: their names, labels and meaning, as the reference lists them too."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """All series of one name."""

    name: str
    kind: Kind
    of: Literal["replica", "fleet"]
    """replica: each replica's own facts, to be summed. fleet: the same from every replica, read from the database."""
    labels: tuple[str, ...]
    meaning: str


_OF_SCHEDULE = ("application", "schedule")


def _schedule(name: str, meaning: str, *more: str) -> Family:
    return Family(f"leased_schedule_{name}", "gauge", "fleet", (*_OF_SCHEDULE, *more), meaning)


def _fleet(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"leased_{name}", "gauge", "fleet", ("application", *labels), meaning)


def _replica(name: str, kind: Kind, meaning: str, *labels: str) -> Family:
    return Family(f"leased_{name}", kind, "replica", ("application", *labels), meaning)


FAMILIES = (
    _schedule(
        "info", "1 for each schedule that is not retired.", "timing", "timezone", "overlap", "catch_up", "enabled"
    ),
    _schedule("paused", "1 if the schedule is paused, otherwise 0."),
    _schedule("next_due_timestamp_seconds", "When the schedule is due next."),
    _schedule("last_due_timestamp_seconds", "The last scheduled time that was planned."),
    _schedule("last_success_timestamp_seconds", "When a run last succeeded."),
    _schedule("last_end_timestamp_seconds", "When a run last succeeded, failed or was cancelled."),
    _schedule(
        "success_deadline_timestamp_seconds",
        "When the next success is expected at the latest: finish_by of the first scheduled time since the last success; "
        "without one, start_within or 5 minutes, and the expected duration or 1 hour, after that time.",
    ),
    _schedule("running_runs", "The runs that are active."),
    _schedule("late_seconds", "For how long the run that waits longest could have started, or planning has been overdue."),
    _schedule("consecutive_failures", "The runs that failed since one last succeeded, up to 1,000."),
    _schedule(
        "expected_duration_seconds",
        "The p95 of the durations of its last 100 successful runs, if there are 10. With more than 500 schedules it "
        "counts fewer, but at least 10. After a success it is read again within minutes.",
    ),
    _schedule("median_duration_seconds", "The median of these durations."),
    _schedule("median_wait_seconds", "The median of the times from when these runs were due until they started."),
    _schedule("longest_running_seconds", "How long the longest active run has been running; 0 if there is none."),
    _schedule(
        "long_running_level",
        "How serious that is: 0 it is not long, 1 warn, 2 critical, 3 emergency. By the thresholds in `long`.",
    ),
    _schedule("missed_times", "The scheduled times that were missed in the last 24 hours."),
    _schedule(
        "overlapped_times",
        "How many of the last 30 scheduled times were skipped because an earlier run was not over.",
    ),
    _fleet("replicas", "The replicas: alive, draining, or silent for more than 20 s.", "state"),
    _fleet("generations_live", "The generations of definitions that live replicas have."),
    _fleet("generations_held_back", "Those of them that run nothing because a replica of a higher revision is ready."),
    _fleet("release_info", "The live replicas of each release.", "release", "version"),
    _replica("build_info", "gauge", "1, with what this replica is.", *("version", "revision", "generation"), "database", "python"),
    _replica(
        "runs_total",
        "counter",
        "The runs that this replica ended, and the scheduled times that it skipped: reason says why.",
        *("schedule", "state", "reason"),
    ),
    _replica("run_lateness_seconds", "histogram", "From when a run could have started until its first claim."),
    _replica("run_duration_seconds", "histogram", "How long this replica executed the runs that it ended."),
    _replica("claims_total", "counter", "The claims of runs: first, or again after a retry or another replica.", "outcome"),
    _replica("lease_renewals_total", "counter", "The renewals of leases: confirmed, or failed.", "outcome"),
    _replica("lease_margin_seconds", "histogram", "The least trust that any lease had left when its renewal was confirmed."),
    _replica("leases_held", "gauge", "The leases of runs that this replica holds."),
    _replica("leases_lost_total", "counter", "The leases that were lost; closed: because the replica stopped.", "cause"),
    _replica("fenced_writes_refused_total", "counter", "The writes that the database refused because the grant had ended."),
    _replica("schedules_retired_total", "counter", "The schedules that this replica's definitions retired."),
    _replica(
        "notifications_total",
        "counter",
        "The attempts of this replica to deliver messages: delivered, failed, given up, or the target is gone.",
        *("kind", "outcome"),
    ),
    _replica("pings_total", "counter", "The same of pings to monitors.", "outcome"),
    _replica("loop_last_tick_timestamp_seconds", "gauge", "When each loop of this replica last ran.", "loop"),
    _replica("event_loop_stall_seconds", "histogram", "How long async jobs blocked their event loop."),
    _replica(
        "database_locks_held",
        "gauge",
        "The locks in the database that programs hold, not runs. level is warn after 10 minutes, critical after 30, "
        "emergency after 50, otherwise none.",
        "level",
    ),
    _replica("database_oldest_transaction_seconds", "gauge", "The age of the oldest other transaction in the database (PostgreSQL)."),
    _replica("database_clock_offset_seconds", "gauge", "The database's clock minus this machine's."),
    _replica("snapshot_age_seconds", "gauge", "The age of the fleet's facts here, which are read at most every 10 s."),
)  # fmt: skip
