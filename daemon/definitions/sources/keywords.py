"""The settings as keywords in Python, for type checkers; `make docs` writes them.

No type checker derives them from the models: what people write, as `40m` in quotes, has another
type than what is kept.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from lease.durations import Duration


class ScheduleKeywords(TypedDict, total=False):
    """The settings of a schedule apart from when it is due."""

    timezone: str
    starts: datetime | str | None
    ends: datetime | str | None
    enabled: bool
    catch_up: Literal["skip", "latest", "all"]
    start_within: Duration | None
    overlap: Literal["skip", "queue", "replace", "allow"]
    lock: str | Mapping[str, Any] | None
    priority: Literal["low", "normal", "high"]
    on_failure: Literal["stop", "continue"]
    run_timeout: Duration | None
    stall_after: Duration | None
    exclude: str | Sequence[str]
    finish_by: Duration | None
    long: Duration | Mapping[str, Duration] | bool | None
    keep: Mapping[str, int] | None
    jitter: Duration
    notify: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
    ping: str | Mapping[str, Any] | None
    params: Mapping[str, Any]
    secrets: Sequence[str]
    description: str
    tags: Sequence[str]
    was: str | Sequence[str]


class JobKeywords(TypedDict, total=False):
    """The settings of a job."""

    isolation: Literal["task", "process", "thread"] | None
    timeout: Duration | None
    retries: int
    backoff: Duration
    cwd: str | None
    env: Mapping[str, str]


class DefaultKeywords(TypedDict, total=False):
    """The settings that may be given for all."""

    timezone: str | None
    catch_up: Literal["skip", "latest", "all"] | None
    start_within: Duration | None
    overlap: Literal["skip", "queue", "replace", "allow"] | None
    priority: Literal["low", "normal", "high"] | None
    on_failure: Literal["stop", "continue"] | None
    run_timeout: Duration | None
    stall_after: Duration | None
    exclude: str | Sequence[str] | None
    finish_by: Duration | None
    long: Duration | Mapping[str, Duration] | bool | None
    keep: Mapping[str, int] | None
    jitter: Duration | None
    notify: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None
    ping: str | Mapping[str, Any] | None
    timeout: Duration | None
    retries: int | None
    backoff: Duration | None
    cwd: str | None
    env: Mapping[str, str] | None


class ReplicaKeywords(TypedDict, total=False):
    """The settings of a replica inside another program."""

    schema: str
    lease_ttl: Duration
    renew_every: Duration
    give_up: Duration
    attempt_timeout: Duration
    retry_wait: Duration
    kill_time: Duration
    concurrency: int
    grace: Duration
    poll: Duration
    takeover_after: Duration
    revision: int | None
    release: str | None
    web_url: str | None
    ping: str | None
    job_output: Literal["store", "log"]
