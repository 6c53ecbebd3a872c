"""`leased doctor`: the database, this machine and the replicas, each check with its remedy."""

import typer

from ....answers.questions import Level
from ....service.doctor import checks
from ....service.environment import SettingsError
from ....service.settings import read_settings
from ....text import counted
from ...failures import FAILED
from ...options import Database, Json
from ...screen import drawable, for_people, say, screen, write_json

_LOOK: dict[Level, tuple[str, str]] = {"red": ("✗", "red"), "yellow": ("○", "yellow"), "green": ("✓", "green")}


def doctor(database: Database = None, as_json: Json = False) -> None:
    """Check the database, this machine and the replicas, with a remedy for each problem."""
    try:
        found = checks.doctor(read_settings({"database_url": database}))
    except SettingsError as error:
        found = checks.answer([checks.wrong_settings(error)])
    if as_json:
        write_json("doctor", found)
    else:
        console = screen()
        red, yellow = (sum(one.level == level for one in found.items) for level in ("red", "yellow"))
        parts = [counted(red, "problem")] * bool(red) + [counted(yellow, "warning")] * bool(yellow)
        verdict = ", ".join(parts) or f"OK: all {len(found.items)} checks are green"
        say(console, verdict, f"bold {'red' if red else 'yellow' if yellow else 'green'}")
        for one in found.items:
            symbol, style = _LOOK[one.level]
            mark = drawable(symbol) if for_people() else one.level
            say(console, f"{one.check}: {one.text}", style, lead=f"  {mark} ")
            if one.remedy is not None:
                say(console, one.remedy, "none", lead="    ")
    if not found.ok:
        raise typer.Exit(FAILED)
