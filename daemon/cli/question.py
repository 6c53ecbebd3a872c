"""A question to be answered with yes or no, asked at a terminal."""

import sys

from ..errors import DaemonError
from ..text import clean
from .failures import Misused, write_to_stderr


class NotConfirmed(DaemonError):
    """Something was to be confirmed, and nobody said yes."""


def tell(sentence: str) -> None:
    """Write a sentence to stderr, where questions are asked."""
    write_to_stderr([clean(sentence)])


def can_be_asked() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def says_yes(question: str) -> bool:
    """Ask on stderr, and read a line; end that of the question where Ctrl-C or Ctrl-D leaves it open."""
    answer = ""
    try:
        sys.stderr.write(f"{clean(question)} [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
    finally:
        if not answer.endswith("\n"):
            sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless ``yes`` has answered; raises `Misused` if nobody can be asked, and `NotConfirmed` for a no."""
    if yes:
        return
    if not can_be_asked():
        raise Misused(
            f"{question} Not at a terminal, so nothing was done; --yes confirms, --dry-run shows what would be done"
        )
    if not says_yes(question):
        raise NotConfirmed("nothing was done")
