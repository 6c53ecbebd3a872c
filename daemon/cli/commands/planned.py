"""Commands that are planned: refused with a sentence, never ignored."""

from collections.abc import Callable

import typer

from ...errors import NotYet

COMMANDS = {
    "why": "`leased status` and `leased show RUN` tell what is known",
    "pause": "set enabled = false for the schedule, and sync",
    "resume": "there is no pause yet to end",
    "cancel": "stop its replica: it drains, and another one resumes the run",
    "retry": "`leased trigger SCHEDULE` starts a new run",
    "backfill": "`leased trigger SCHEDULE` starts a run now",
    "lock": "the library can: lease.sync.LeaseClient(url).hold(name)",
    "doctor": "`leased db current` tells whether the database can be reached",
}


def add_later(app: typer.Typer) -> None:
    """Give ``app`` the commands that do not exist yet."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name, remedy in COMMANDS.items():
        app.command(name, help="Does not exist yet.", hidden=True, context_settings=settings)(_refusing(name, remedy))


def _refusing(name: str, remedy: str) -> Callable[[], None]:
    def refuse() -> None:
        raise NotYet(f"the command {name} does not exist yet; {remedy}")

    return refuse
