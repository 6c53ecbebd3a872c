"""The loading of FILE by a command."""

from ..definitions.application import Application
from ..definitions.sources.load import load
from .streams import answers_apart


def load_file(file: str) -> Application:
    """Return what FILE defines; raises `DefinitionError`. What it prints as it is loaded goes to stderr."""
    with answers_apart():
        return load(file)
