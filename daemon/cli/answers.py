"""The answers of commands as JSON: where each is declared, and its version."""

import sys

from ..store.views.values import plain
from ..text import json_text

ANSWERS = {
    "status": ("answers.status", "StatusAnswer", 2),
    "report": ("answers.report", "ReportAnswer", 1),
    "why": ("answers.why", "WhyAnswer", 1),
    "runs": ("answers.runs", "RunsAnswer", 2),
    "show": ("answers.runs", "ShowAnswer", 2),
    "stack": ("operations.look", "StackAnswer", 1),
    "logs": ("answers.runs", "LogsAnswer", 1),
    "locks": ("answers.lists", "LocksAnswer", 1),
    "replicas": ("answers.lists", "ReplicasAnswer", 1),
    "generations": ("answers.lists", "GenerationsAnswer", 1),
    "notify": ("answers.notify", "NotifyAnswer", 1),
    "notify-test": ("answers.notify", "NotifyTestAnswer", 1),
    "doctor": ("answers.lists", "DoctorAnswer", 1),
    "audit": ("cli.commands.reading.audit", "AuditAnswer", 1),
    "check": ("cli.commands.defining.check", "CheckAnswer", 2),
    "preview": ("cli.commands.defining.check", "PreviewAnswer", 2),
    "init": ("cli.commands.defining.init", "InitAnswer", 1),
    "import-crontab": ("cli.commands.defining.imports", "ImportAnswer", 1),
    "sync": ("cli.commands.defining.sync", "SyncAnswer", 1),
    "trigger": ("answers.acts", "TriggerAnswer", 1),
    "cancel": ("cli.commands.acting.cancel", "Cancellation", 1),
    "pause": ("answers.acts", "PauseAnswer", 1),
    "resume": ("answers.acts", "ResumeAnswer", 1),
    "activity": ("answers.lists", "ActivityAnswer", 1),
    "retry": ("cli.commands.acting.retry", "Retry", 1),
    "cancel-many": ("answers.acts", "CancelManyAnswer", 1),
    "retry-many": ("answers.acts", "RetryManyAnswer", 1),
    "forget": ("cli.commands.acting.forget", "Forgotten", 1),
    "retire": ("cli.commands.acting.retire", "RetiredApplication", 1),
    "backfill": ("cli.commands.acting.backfill", "Backfill", 1),
    "backfills": ("answers.lists", "BackfillsAnswer", 1),
    "backfill-changed": ("cli.commands.acting.backfill", "ChangedBackfill", 1),
    "db-current": ("cli.commands.db", "CurrentAnswer", 1),
    "db-restored": ("cli.commands.db", "Restored", 1),
}
"""By command: the module that declares its answer, the class there, and the answer's version."""


def write_json(command: str, answer: object) -> None:
    """Write the JSON object that `--json` asks for; ``answer`` is a dataclass."""
    document = {"schema": name_of(command), **plain(answer)}
    sys.stdout.write(json_text(document) + "\n")


def name_of(command: str) -> str:
    """Return the name of the answer of a command: ``leased/status/2``."""
    return f"leased/{command}/{ANSWERS[command][2]}"
