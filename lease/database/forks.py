"""What a process may do with SQLite that was forked while an SQLite file was open in its parent: nothing.

SQLite keeps one list of open files for each process, with the locks that it holds on them. A forked process inherits
the list but not the locks: SQLite there believes in locks that nobody respects, so that another process may delete the
log to which it writes. A lock of a thread that was using SQLite at the fork stays locked for ever.
"""

from ..errors import LeaseError

_REMEDY = "fork before the first client is opened or after the last one is closed, or start the process with spawn instead of fork"
_marks: list[None] = []
"""Not empty in a process that was forked too late, and in all that are forked from it."""


def mark_this_process() -> None:
    """Record that an SQLite file was open when this process was forked."""
    _marks.append(None)


def refuse_after_fork() -> None:
    """Raise `LeaseError` where SQLite cannot be used since the fork; call it before it is."""
    if _marks:
        raise LeaseError(
            "this process was forked while its parent had an SQLite database open through leased, and SQLite's locks do "
            f"not work in such a process: {_REMEDY}"
        )


def advice(usual: str) -> str:
    """Return what to do instead of using something that was made before the fork."""
    return f"{usual} (not on SQLite, which was open at the fork: {_REMEDY})" if _marks else usual
