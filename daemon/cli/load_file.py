"""The loading of FILE by a command, and what one that lasts does with all that is loaded."""

import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ..definitions.application import Application
from ..service.load_with_settings import load_with_settings


def load_file(file: str, flags: Mapping[str, Any]) -> Application:
    """Return what FILE defines, as `load_with_settings` does. What FILE prints as it is loaded goes to stderr."""
    with answers_apart():
        return load_with_settings(file, flags)


@contextmanager
def answers_apart() -> Iterator[None]:
    """Send to stderr what is printed during the block, by child processes too: stdout has the answer of the command."""
    sys.stdout.flush()
    answers = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
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
