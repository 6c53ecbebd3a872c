"""Standard input, output and error, as a command finds and leaves them."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NAMES = ("stdin", "stdout", "stderr")
_OF_OUTPUT = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""What a write says that can go nowhere. An error about a file that is opened names that file."""


def open_closed_ones() -> None:
    """Open `/dev/null` for each that is closed (``>&-``): a file or a connection would take its number."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


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


def unwritten(error: Exception | None = None) -> str | None:
    """Return why the answer cannot be written, if that is what ``error`` says, or what writing the rest of it says; the
    rest is dropped then.
    """
    try:
        sys.stdout.flush()
    except OSError as late:
        error = late
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _OF_OUTPUT:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # or the interpreter would try again at its end
    os.close(nowhere)
    return f"the output cannot be written: {error.strerror}"
