"""The states of runs, job runs and replicas, the causes of runs, which the tables check too; and what runs share."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, NamedTuple, get_args

RunState = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped"]
EndState = Literal["succeeded", "failed", "cancelled", "skipped"]
"""The states of a run that is over."""
RunOutcome = Literal["succeeded", "failed", "cancelled", "pending", "lost"]
"""How a replica's execution of a run ended. pending: it goes on later; lost: with its lease."""
Cause = Literal["schedule", "manual"]
"""Why a run exists: its instant was due, or a person or a program requested it."""
RunCause = Literal["schedule", "manual", "backfill", "retry"]
"""The same, as people read it: the table has what tells a retry and a backfill in columns of their own."""
ON_REQUEST = "on request"
"""When a schedule is due that is due on request only, as people read it."""
SkipReason = Literal["missed", "overlap", "paused", "replaced", "excluded"]
"""Why an instant is skipped. missed: planned too late; overlap: an earlier run was not over; replaced:
a newer one was due as well; excluded: its schedule does not run on that day."""
Act = Literal[
    "trigger",
    "pause",
    "resume",
    "cancel",
    "retry",
    "backfill",
    "forget",
    "deploy",
    "take-over",
    "acknowledge",
    "retire",
]
"""What people do to schedules, runs and applications (rule 23). deploy: it retired schedules."""
MessageKind = Literal[
    "run.failed",
    "run.abandoned",
    "run.late",
    "run.long",
    "run.stalled",
    "schedule.missed",
    "schedule.retired",
    "schedule.recovered",
]
"""What people can be notified of. stalled: `stall_after` stopped a job; recovered: the first success after a failure."""
PingKind = Literal["ping.start", "ping.success", "ping.fail"]
DeliveryKind = Literal[MessageKind, PingKind]
DeliveryEnd = Literal["delivered", "folded", "given up", "gone"]
"""What became of a message. folded: told by another one, with the count; given up: not delivered for 3 days; gone: its
target answered that it is gone for good.
"""
DeliveryOutcome = Literal["delivered", "failed", "given up", "gone"]
"""What became of an attempt to deliver one. failed: it is tried again."""
JobState = Literal["running", "succeeded", "failed", "abandoned", "stopped", "not started"]
JobOutcome = Literal["succeeded", "failed", "stopped", "lost", "not run", "no room"]
"""How an attempt ended in its replica. stopped: on request (a drain); lost: with its lease; not run: its child found
that FILE has changed, and ran nothing (rule 22); no room: it could not be begun, because the machine was short of
something (rule 25). Only one that failed uses up an attempt.
"""
Settlement = Literal["abandoned", "stopped", "failed", "cancelled"]
"""How a run was settled that its holder left behind. abandoned: its process died, it goes on elsewhere; stopped: its
holder lived and lost the lease, which uses up nothing; failed: it was abandoned too often; cancelled: it was marked
(rule 23).
"""
ReplicaState = Literal["running", "draining", "stopped", "dead"]
LiveReplicaState = Literal["running", "draining"]
"""The states that a replica reports of itself while it lives."""

MOST_ABANDONED = 3
"""A run fails after so many abandoned attempts without a job that succeeded between them (rule 16)."""

SEEN_WITHIN = 20.0
"""Seconds for which a replica counts as living after a sign of life, which it gives each 10 s (rules 21 and 22)."""
UNSEEN_IS_DEAD = 60.0
"""Seconds after which a replica that was not seen counts as dead (rule 18). Leases do not depend on it."""

LIVE: tuple[LiveReplicaState, ...] = get_args(LiveReplicaState)
"""The states of a replica that counts as alive."""
UNFINISHED: tuple[RunState, ...] = ("pending", "running")
"""The states of a run that is not over; a schedule with such a run is still running (rule 14)."""

LongLevel = Literal["warn", "critical", "emergency"]
"""How serious it is that a run has been running for long, or that a lock has been held for long."""
LONG_LEVELS: tuple[LongLevel, ...] = get_args(LongLevel)

Priority = Literal["low", "normal", "high"]
"""Which runs start first where not all can."""

LEADS: Mapping[Priority, timedelta] = {"high": timedelta(hours=1), "normal": timedelta(), "low": -timedelta(hours=1)}
"""By how much longer than it does a run counts as waiting: so each has its turn, however many come before it."""

QUEUES_OF_PRIORITY = ("low", "high")
"""The queues of runs that share no slots. Those of normal priority are in none."""


class SharedLock(NamedTuple):
    """A lock that schedules share: at most ``slots`` runs are under it at once (rule 14)."""

    name: str
    slots: int = 1

    @property
    def leases(self) -> tuple[str, ...]:
        """The names of its leases, one of each slot. The first is that of a lock with one slot."""
        return self.name, *(f"{self.name}/{slot}" for slot in range(2, self.slots + 1))

    def __str__(self) -> str:
        return f'"{self.name}"' if self.slots == 1 else f'"{self.name}" with {self.slots} slots'
