"""The load of FILE with all that is wrong in it, by a command as by a check at SIGHUP."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..definitions.application import Application
from ..definitions.sources.load import load
from ..definitions.sources.toml_file import settings_in
from ..errors import DefinitionError, Mistakes
from .settings import read_settings


def load_with_settings(file: str, flags: Mapping[str, Any]) -> Application:
    """Return what FILE defines; raises `DefinitionError`, with all mistakes of FILE, those of `[settings]` too.

    ``flags`` has the settings of the command line.
    """
    try:
        return load(file, every_mistake=True)
    except DefinitionError as error:
        mistakes = Mistakes()
        if file.endswith(".toml"):
            with mistakes:
                read_settings(flags, settings_in(Path(file)), source=file)
        error.more += tuple(mistakes.found)
        raise
