"""The file descriptors that this process may open: as many as the system allows, and whether they are enough (rule 25)."""

import resource
from collections.abc import MutableMapping

from ...definitions.application import Application
from ...jobs.processes.spawn import OF_CHILD, set_limit_of_children
from ..environment import SOFT_LIMIT, SettingsError

OF_REPLICA = 96
"""Descriptors that a replica has open for itself at most: databases, event loops, web server and its connections, files
of the interpreter; and what a start of a child leaves over."""


def raise_limit(environment: MutableMapping[str, str]) -> None:
    """Raise the soft limit of this process to the hard one, and note in ``environment``, for processes that are started as
    replicas, what it was: children of jobs start with that again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    noted = environment.get(SOFT_LIMIT, "")
    usual = int(noted) if noted.isascii() and noted.isdigit() else soft
    if usual == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS refuses some
        return
    environment[SOFT_LIMIT] = str(usual)
    set_limit_of_children(usual)


def descriptors_needed(concurrency: int) -> int:
    """Return how many descriptors a replica with so many runs at once has open at most."""
    return OF_CHILD * concurrency + OF_REPLICA


def more_descriptors(limit: int) -> str:
    fit = (limit - OF_REPLICA) // OF_CHILD
    lower = f"set LEASED_CONCURRENCY to {fit} at most, or " if fit > 0 else ""
    return f"{lower}raise the limit (`ulimit -Hn`, LimitNOFILE= of a service)"


def refuse_more_than_fit(application: Application, concurrency: int) -> None:
    """Raise `SettingsError` unless so many runs at once can have their descriptors. Async jobs need none."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    jobs = (job for schedule in application.schedules for job in schedule.jobs)
    needed = descriptors_needed(concurrency)
    if limit == resource.RLIM_INFINITY or needed <= limit or all(job.isolation in {"task", "thread"} for job in jobs):
        return
    raise SettingsError(
        f"concurrency: {concurrency:,} runs at once need {OF_CHILD} * {concurrency:,} + {OF_REPLICA} = {needed:,} file "
        f"descriptors, but this process may open {limit:,}; {more_descriptors(limit)}"
    )
