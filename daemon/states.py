"""The states of runs, job runs and replicas, and what a run is caused by; the tables have them as constraints too."""

from typing import Literal

RunState = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped"]
EndState = Literal["succeeded", "failed", "cancelled", "skipped"]
"""The states of a run that is over."""
RunOutcome = Literal["succeeded", "failed", "pending", "lost"]
"""What became of a run in the hands of one replica: it is over, it goes on later, or it was lost with its lease."""
Cause = Literal["schedule", "manual"]
"""Why there is a run: its instant was due, or a person or a program asked for it."""
JobState = Literal["running", "succeeded", "failed", "abandoned", "stopped", "not started"]
JobOutcome = Literal["succeeded", "failed", "stopped", "lost"]
"""How an attempt ended in its replica. stopped: on request (a drain); lost: with its lease. Neither uses up an attempt."""
ReplicaState = Literal["running", "draining", "stopped", "dead"]

UNFINISHED: tuple[RunState, ...] = ("pending", "running")
"""The states of a run that is not over; while there is one, its schedule is still running (rule 14)."""
