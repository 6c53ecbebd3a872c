"""The answers of commands as JSON: where each is declared, and its version."""

import json
import sys

from ..store.views import plain

ANSWERS = {
    "status": ("reading.status", "StatusAnswer", 2),
    "report": ("reading.report", "ReportAnswer", 1),
    "runs": ("reading.history", "RunsAnswer", 2),
    "show": ("reading.history", "ShowAnswer", 2),
    "logs": ("reading.logs", "LogsAnswer", 1),
    "locks": ("reading.locks", "LocksAnswer", 1),
    "replicas": ("reading.replicas", "ReplicasAnswer", 1),
    "generations": ("reading.generations", "GenerationsAnswer", 1),
    "doctor": ("reading.doctor", "DoctorAnswer", 1),
    "audit": ("reading.audit", "AuditAnswer", 1),
    "check": ("defining.check", "CheckAnswer", 2),
    "preview": ("defining.check", "PreviewAnswer", 2),
    "init": ("defining.init", "InitAnswer", 1),
    "import-crontab": ("defining.imports", "ImportAnswer", 1),
    "sync": ("defining.sync", "SyncAnswer", 1),
    "trigger": ("acting.trigger", "TriggerAnswer", 1),
    "cancel": ("acting.cancel", "Cancellation", 1),
    "pause": ("acting.pause", "PauseAnswer", 1),
    "resume": ("acting.pause", "ResumeAnswer", 1),
    "activity": ("reading.activity", "ActivityAnswer", 1),
    "retry": ("acting.retry", "Retry", 1),
    "cancel-many": ("acting.cancel_many", "CancelManyAnswer", 1),
    "retry-many": ("acting.retry_many", "RetryManyAnswer", 1),
    "forget": ("acting.forget", "Forgotten", 1),
    "retire": ("acting.retire", "RetiredApplication", 1),
    "backfill": ("acting.backfill", "Backfill", 1),
    "backfills": ("acting.backfill", "BackfillsAnswer", 1),
    "backfill-changed": ("acting.one_backfill", "ChangedBackfill", 1),
    "db-current": ("db", "CurrentAnswer", 1),
    "db-restored": ("db", "Restored", 1),
}
"""By command: the module that declares its answer, the class there, and the answer's version."""


def write_json(command: str, answer: object) -> None:
    """Write the JSON object that `--json` asks for; ``answer`` is a dataclass."""
    document = {"schema": name_of(command), **plain(answer)}
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def name_of(command: str) -> str:
    """Return the name of the answer of a command: ``leased/status/2``."""
    return f"leased/{command}/{ANSWERS[command][2]}"
