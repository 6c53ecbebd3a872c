"""Commands that do not exist yet: each refuses with a sentence that says what to do instead."""

from collections.abc import Callable

import typer

from ..errors import NotYet

COMMANDS = {
    "lock": "use the library: lease.sync.LeaseClient(url).hold(name)",
}


def add_later(app: typer.Typer) -> None:
    """Register the commands that do not exist yet, hidden from the help."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name, remedy in COMMANDS.items():
        app.command(name, help="Does not exist yet.", hidden=True, context_settings=settings)(_refusing(name, remedy))


def _refusing(name: str, remedy: str) -> Callable[[], None]:
    def refuse() -> None:
        raise NotYet(f"the command {name} does not exist yet; {remedy}")

    return refuse
