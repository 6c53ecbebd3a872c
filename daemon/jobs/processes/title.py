"""The title of a process: which run it is of, as `ps` and `top` show it. Only on Linux, and only Python."""

TYPE_CHECKING = False  # as in the keeper
if TYPE_CHECKING:
    from collections.abc import Mapping

_ARGUMENTS = (45, 46)
"""Where /proc/self/stat has the addresses at which the arguments begin and end, behind the name."""


def show_title(title: str, name: str) -> None:
    """Show ``title`` in place of the arguments of this process, as long as they are at most, and ``name`` (of which 15
    bytes are shown) in place of its name; do nothing where the system does not let it.
    """
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 (no pathlib here)
            fields = file.read().rpartition(b")")[2].split()
        start, end = (int(fields[place]) for place in _ARGUMENTS)
        shown = title.encode(errors="replace")[: end - start - 1]
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 (no pathlib here)
            memory.seek(start)
            memory.write(shown.ljust(end - start, b"\0"))
        with open("/proc/self/comm", "wb", buffering=0) as file:  # noqa: PTH123 (no pathlib here)
            file.write(name.encode(errors="replace")[:15])
    except (OSError, ValueError, IndexError, OverflowError):
        return


def show_keeper(environment: "Mapping[str, str]") -> None:
    """Show of which attempt this keeper is, from the environment of its child."""
    if (run := environment.get("LEASED_RUN")) is not None:
        schedule, attempt = environment.get("LEASED_SCHEDULE"), environment.get("LEASED_ATTEMPT")
        show_title(f"leased: keeper of run {run} of {schedule}, attempt {attempt}", f"keeper {run}")
