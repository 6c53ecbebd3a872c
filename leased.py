"""The command `leased`, and `python -m leased`.

It stands outside the package `daemon`, because python-daemon has the same import name: where that
one is installed too, `daemon` may be either of the two, or a mixture, and only something outside
can say so.
"""

import signal
import sys
from importlib import metadata, util
from pathlib import Path

PACKAGES = (
    "alembic",
    "croniter",
    "pydantic",
    "rich",
    "starlette",
    "structlog",
    "typer",
    "uvicorn",
)
"""What the extra `daemon` installs beside the library, by the names of import; without tzdata,
which most systems have themselves.
"""


def main() -> int:
    """Run the command and return its exit status."""
    if (obstacle := _obstacle()) is not None:
        sys.stderr.write(f"leased: {obstacle}\n")
        return 1
    # Ctrl-C while the command loads is no error, and needs no traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from daemon.cli import main as command  # noqa: PLC0415 - only once it is known whose `daemon` it is

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return command(sys.argv[1:])


def _obstacle() -> str | None:
    try:
        metadata.distribution("python-daemon")
    except metadata.PackageNotFoundError:
        pass
    else:
        return (
            "the package python-daemon is installed here too, and both are imported as `daemon`; "
            "install leased into an environment of its own"
        )
    found = util.find_spec("daemon")
    folders = found.submodule_search_locations if found else None
    if not any((Path(folder) / "cli").is_dir() for folder in folders or ()):
        return "another `daemon` hides the one of leased; run it from another folder, or in an environment of its own"
    missing = [package for package in PACKAGES if util.find_spec(package) is None]
    if missing:
        return (
            f"the command needs packages that are not installed ({', '.join(missing)}): `pip install leased` installs "
            "the lock library alone; for the command run: pip install 'leased[daemon]'"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
