"""A forked child, and what it says."""

import os
from collections.abc import Callable


def in_forked_child(work: Callable[[], object]) -> str:
    """Return what a forked child gets of ``work``, or how it is refused."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException as error:  # noqa: BLE001 - the parent looks at it
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


def is_refused(said: str) -> bool:
    """Return whether that is the refusal of SQLite in a process that was forked too late."""
    return "was forked while its parent had an SQLite database open" in said and "with spawn" in said
