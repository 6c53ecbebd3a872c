"""The brief: everything a job needs to know about the attempt it makes, and the parameters of its run on their way to a child."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from lease.model import Grant

from ..instants import format_instant

BRIEF_VARIABLE = "LEASED_BRIEF"
"""The environment variable that holds a function child's brief, as JSON."""
FUNCTION_CHILD = (sys.executable, "-P", "-m", "daemon.jobs.child_main")
"""The command that runs a function in a child."""
TEMPLATE_VARIABLE = "LEASED_TEMPLATE"
"""The variable that makes it a template instead (`templates/loaded.py`)."""
PARAMS_VARIABLE, PARAMS_FILE_VARIABLE = "LEASED_PARAMS", "LEASED_PARAMS_FILE"
"""The variables that hold the parameters as JSON, or the path of a file that does, where they are too long for one."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One attempt of one job of one run, and the grant under which it runs."""

    application: str
    schedule: str
    scheduled_for: datetime
    run_id: int
    job: str
    attempt: int
    params: Mapping[str, Any]
    idempotency_key: str
    grant: Grant
    source: str
    """FILE, as `daemon.definitions.sources.load.load` takes it."""
    file: str
    """The path of FILE."""
    stamp: str
    """That of FILE as the replica loaded it."""
    digest: str
    """The digest of what execution reads of the schedule (rule 22)."""
    row: str = ""
    """The name of the row in which the schedule stands, if it has another name than that."""
    database: str | None = None
    """The URL of the lease's database, without a password."""
    identity: str | None = None
    """What a copy of that database does not have (`lease.database.address`)."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """The variables that pass the span of the attempt on, if there is one."""

    def to_json(self) -> str:
        """Return the brief as JSON, for a function child, without the parameters."""
        return json.dumps({**asdict(self), "params": None, "scheduled_for": format_instant(self.scheduled_for)})

    @classmethod
    def from_json(cls, text: str, params: Mapping[str, Any]) -> Self:
        """Return the brief that `to_json` wrote, of a run with these parameters."""
        fields = json.loads(text)
        fields["scheduled_for"] = datetime.fromisoformat(fields["scheduled_for"])
        fields["grant"] = Grant(**fields["grant"])
        return cls(**{**fields, "params": params})

    def environment(self) -> dict[str, str]:
        """Return the variables that describe the attempt to a command, and that a fence needs, but for the parameters."""
        return {
            "LEASED_SCHEDULE": self.schedule,
            "LEASED_SCHEDULED_FOR": format_instant(self.scheduled_for),
            "LEASED_RUN": str(self.run_id),
            "LEASED_ATTEMPT": str(self.attempt),
            "LEASED_IDEMPOTENCY_KEY": self.idempotency_key,
            "LEASE_NAME": self.grant.name,
            "LEASE_TOKEN": str(self.grant.token),
            "LEASE_HOLDER": self.grant.holder,
            **self.trace,
        }

    @contextmanager
    def in_trace(self) -> Iterator[None]:
        """Have the span of the attempt as the current one during the block, where OpenTelemetry is loaded."""
        if not self.trace or "opentelemetry.trace" not in sys.modules:
            yield
            return
        from opentelemetry import context  # noqa: PLC0415 - it is loaded
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

        named = {name.lower(): value for name, value in self.trace.items()}
        token = context.attach(TraceContextTextMapPropagator().extract(named))
        try:
            yield
        finally:
            context.detach(token)


def idempotency_key(application: str, schedule: str, occurrence: datetime | int, job: str) -> str:
    """Return a key of 64 hexadecimal digits, the same for every attempt of a job at an occurrence.

    An occurrence is its scheduled instant, in any time zone; for a manual trigger, the run's id. A
    retry has the occurrence of the run that it tries again.
    """
    instant = format_instant(occurrence) if isinstance(occurrence, datetime) else occurrence
    return hashlib.sha256(json.dumps([application, schedule, instant, job]).encode()).hexdigest()


LONGEST_VARIABLE = 128 * 1024 - 1
"""Bytes of a variable with its name, beyond which Linux starts no process (MAX_ARG_STRLEN)."""


def hand_over(params: Mapping[str, Any], environment: MutableMapping[str, str]) -> str | None:
    """Put the parameters into the environment of a child; if they are too long, into a file: return its path, to be removed."""
    environment.pop(PARAMS_FILE_VARIABLE, None)  # as a job that runs `leased run` would pass on its own
    environment.pop(PARAMS_VARIABLE, None)
    text = json.dumps(dict(params))
    if len(PARAMS_VARIABLE) + 1 + len(text) <= LONGEST_VARIABLE:
        environment[PARAMS_VARIABLE] = text
        return None
    descriptor, path = tempfile.mkstemp(prefix="leased-params-", suffix=".json")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - as it came
        raise
    environment[PARAMS_FILE_VARIABLE] = path
    return path


def received(environment: Mapping[str, str]) -> dict[str, Any]:
    path = environment.get(PARAMS_FILE_VARIABLE)
    text = environment[PARAMS_VARIABLE] if path is None else Path(path).read_text()
    return dict(json.loads(text))
