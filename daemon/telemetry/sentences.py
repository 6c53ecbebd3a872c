"""Facts as sentences, the same in a log as on a terminal."""

from typing import assert_never

from lease.durations import format_duration

from ..text import counted, how_long, lasted, number, when
from .facts import JobSubject, LoopBlocked, LoopFreed, ReplicaEnded, ReplicaStarted, RunLate, RunLong, RunRecovered


def sentence(fact: RunRecovered | RunLate | RunLong | ReplicaStarted | ReplicaEnded | LoopBlocked | LoopFreed) -> str:
    """Return the sentence that a fact is, in a log as on a terminal."""
    match fact:
        case RunRecovered(run, settlement):
            shown = f'run {run.run_id} of "{run.schedule}"'
            if fact.at_startup:
                return f"startup cleanup: {shown} was left behind (token {run.token}): {settlement}"
            return f"{shown} was recovered from a replica that {_left(fact)} (token {run.token}): {settlement}"
        case RunLate(_, schedule, run_id, state, finish_by):
            goes_on = "it is still running" if state == "running" else "it is still waiting"
            return f'run {run_id} of "{schedule}" should have succeeded by {when(finish_by)}: {goes_on}'
        case RunLong(_, schedule, run_id, level, seconds, threshold):
            return f'run {run_id} of "{schedule}" has been running for {lasted(seconds)}, {how_long(level, threshold)}'
        case ReplicaStarted(replica, version, application, generation, database, ttl):
            of = "a new generation" if generation is None else f"generation {generation}"
            return f'leased {version}: "{application}", {of}, on {database}, as {replica}, ttl {format_duration(ttl)}'
        case ReplicaEnded(replica, seconds, runs):
            (first, count), *others = runs.items() or [("", 0)]
            counts = ", ".join([f"{counted(count, 'run')} {first}", *(f"{number(many)} {how}" for how, many in others)])
            stopped = f"{replica} stopped after {format_duration(round(seconds, 1))}"
            return f"{stopped} ({counts if count else 'no runs'})"
        case LoopBlocked(job, where):
            return (
                f"{_blocker(job)} is blocking the event loop and all async jobs, at {where}: use await there, or make the "
                "job a function that is not async"
            )
        case LoopFreed(job, seconds):
            return f"event loop unblocked after {seconds:.1f}s by {_blocker(job)}"
        case _:
            assert_never(fact)


def _left(fact: RunRecovered) -> str:
    """Return what is known of the replica that left a run behind."""
    if fact.gone:
        return "is gone"
    return "is alive but had lost its lease" if fact.lived else "has not been seen since its lease ended"


def _blocker(job: JobSubject | None) -> str:
    return f'job "{job.name}" of "{job.run.schedule}" (run {job.run.run_id})' if job else "a callback"
