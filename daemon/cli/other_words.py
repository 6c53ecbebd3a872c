"""Commands as other programs call them, and what they are called here."""

from collections.abc import Iterable

from ..text import nearest

_OTHERS = {
    "status": ("list", "ls", "ps", "top", "info", "schedules"),
    "runs": ("list", "ls", "history", "executions"),
    "run": ("start", "serve", "worker", "scheduler", "daemon", "up"),
    "trigger": ("start", "exec", "execute", "fire", "enqueue", "now"),
    "logs": ("log", "tail", "output"),
    "cancel": ("stop", "kill", "abort", "terminate"),
    "pause": ("disable", "suspend", "stop", "hold"),
    "resume": ("enable", "unpause", "continue"),
    "retry": ("rerun", "restart", "redo"),
    "check": ("validate", "lint", "verify", "next"),
    "sync": ("apply", "deploy", "push"),
    "retire": ("delete", "remove", "rm"),
    "show": ("describe", "inspect", "get"),
    "init": ("new", "create"),
    "import crontab": ("crontab", "convert"),
    "db upgrade": ("upgrade", "migrate"),
    "activity": ("audit-log", "events"),
    "locks": ("leases",),
    "--version": ("version",),
    "--help": ("help", "commands"),
}


def no_such_command(name: str, known: Iterable[str]) -> str:
    """Return the error about a command that does not exist, with what may be meant."""
    meant = [command for command, others in _OTHERS.items() if name.lower() in others]
    if not meant and (near := nearest(name, list(known))) is not None:
        meant = [near]
    remedy = f"did you mean {' or '.join(f'`leased {one}`' for one in meant)}?" if meant else "see `leased --help`"
    return f'there is no command "{name}"; {remedy}'
