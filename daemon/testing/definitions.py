"""The definitions under test, as an application whose functions a test can patch."""

from pathlib import Path
from typing import assert_never

from ..definitions.application import Application
from ..definitions.sources.load import load
from ..schedules import Schedules
from .in_process import in_process
from .misuse import Misuse

Definitions = Schedules | Application | str | Path
"""A `Schedules`, or FILE as on the command line: ``"shop.py"`` or ``"shop:schedules"``."""


def application_of(definitions: Definitions, *, in_children: bool) -> Application:
    """Return the application, with functions that run in this process unless ``in_children``."""
    application = _application(definitions)
    if not in_children:
        return in_process(application)
    if not application.spec:
        raise Misuse(
            "a function runs in a child only if the child can load FILE: give FILE instead of the Schedules, "
            'as in ManualReplica(store, "shop.py", in_children=True)'
        )
    return application


def _application(definitions: Definitions) -> Application:
    match definitions:
        case Schedules():
            return definitions.application(Path.cwd() / "schedules.py")
        case Application():
            return definitions
        case str() | Path():
            return load(definitions)
        case _:
            assert_never(definitions)
