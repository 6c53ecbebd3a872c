"""The loading of FILE by a command."""

from collections.abc import Mapping
from typing import Any

from ..definitions.application import Application
from ..service.load_with_settings import load_with_settings
from .streams import answers_apart


def load_file(file: str, flags: Mapping[str, Any]) -> Application:
    """Return what FILE defines, as `load_with_settings` does. What FILE prints as it is loaded goes to stderr."""
    with answers_apart():
        return load_with_settings(file, flags)
