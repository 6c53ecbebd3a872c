"""The loading of FILE by a command, and what one that lasts does with all that is loaded."""

import gc
import signal
from collections.abc import Mapping
from typing import Any

from ..definitions.application import Application
from ..service.outside.file_check import load_with_settings
from .streams import answers_apart


def load_file(file: str, flags: Mapping[str, Any]) -> Application:
    """Return what FILE defines, as `load_with_settings` does. What FILE prints as it is loaded goes to stderr."""
    with answers_apart():
        return load_with_settings(file, flags)


def keep_what_is_loaded() -> None:
    """Exclude all that is loaded by now from garbage collection: a full collection would stop every thread of this
    process for a tenth of a second or more.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # an interrupt of a finalizer would be lost
    gc.collect()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
