"""The loading of FILE by a command, and what one that lasts does with all that is loaded."""

import gc
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..definitions.application import Application
from ..service.outside.file_check import load_with_settings


def load_file(file: str, flags: Mapping[str, Any]) -> Application:
    """Return what FILE defines, as `load_with_settings` does. What FILE and its child processes print meanwhile goes to
    stderr: stdout has the answer of the command.
    """
    sys.stdout.flush()
    answers = os.dup(1)
    try:
        os.dup2(2, 1)
        return load_with_settings(file, flags)
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os.dup2(answers, 1)
        os.close(answers)


def keep_what_is_loaded() -> None:
    """Exclude all that is loaded by now from garbage collection: a full collection would stop every thread of this
    process for a tenth of a second or more.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # an interrupt of a finalizer would be lost
    gc.collect()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
