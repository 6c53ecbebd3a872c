"""Facts as sentences, the same in a log as on a terminal."""

from typing import assert_never

from lease.durations import format_duration

from ..text import counted, how_long, lasted, number, when
from .facts import JobSubject, LoopBlocked, LoopFreed, ReplicaEnded, ReplicaStarted, RunLate, RunLong, RunRecovered


def sentence(fact: RunRecovered | RunLate | RunLong | ReplicaStarted | ReplicaEnded | LoopBlocked | LoopFreed) -> str:
    """Return the sentence that a fact is, in a log as on a terminal."""
    match fact:
        case RunRecovered():
            return recovered(fact)
        case RunLate():
            return late(fact)
        case RunLong(_, schedule, run_id, level, seconds, threshold):
            return f'run {run_id} of "{schedule}" has been running for {lasted(seconds)}, {how_long(level, threshold)}'
        case ReplicaStarted():
            return introduced(fact)
        case ReplicaEnded():
            return ended(fact)
        case LoopBlocked():
            return blocked(fact)
        case LoopFreed(job, seconds):
            return f"event loop unblocked after {seconds:.1f}s by {_blocker(job)}"
        case _:
            assert_never(fact)


def introduced(fact: ReplicaStarted) -> str:
    """Return the first line of a replica."""
    generation = "a new generation" if fact.generation is None else f"generation {fact.generation}"
    return (
        f'leased {fact.version}: "{fact.application}", {generation}, on {fact.database}, as {fact.replica}, '
        f"ttl {format_duration(fact.ttl)}"
    )


def ended(fact: ReplicaEnded) -> str:
    """Return the last line of a replica."""
    (first, count), *others = fact.runs.items() or [("", 0)]
    counts = ", ".join([f"{counted(count, 'run')} {first}", *(f"{number(many)} {how}" for how, many in others)])
    stopped = f"{fact.replica} stopped after {format_duration(round(fact.seconds, 1))}"
    return f"{stopped} ({counts if count else 'no runs'})"


def recovered(fact: RunRecovered) -> str:
    """Return a sentence about a run that was settled."""
    run = fact.run
    shown = f'run {run.run_id} of "{run.schedule}"'
    if fact.at_startup:
        return f"startup cleanup: {shown} was left behind (token {run.token}): {fact.settlement}"
    return f"{shown} was recovered from a replica that {_left(fact)} (token {run.token}): {fact.settlement}"


def _left(fact: RunRecovered) -> str:
    """Return what is known of the replica that left a run behind."""
    if fact.gone:
        return "is gone"
    return "is alive but had lost its lease" if fact.lived else "has not been seen since its lease ended"


def late(fact: RunLate) -> str:
    """Return a sentence about a run that is late to finish."""
    goes_on = "it is still running" if fact.state == "running" else "it is still waiting"
    return f'run {fact.run_id} of "{fact.schedule}" should have succeeded by {when(fact.finish_by)}: {goes_on}'


def blocked(fact: LoopBlocked) -> str:
    """Return a sentence about what blocks the event loop of async jobs, and what to do."""
    return (
        f"{_blocker(fact.job)} is blocking the event loop and all async jobs, at {fact.where}: use await there, "
        "or make the job a function that is not async"
    )


def _blocker(job: JobSubject | None) -> str:
    return f'job "{job.name}" of "{job.run.schedule}" (run {job.run.run_id})' if job else "a callback"
