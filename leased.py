"""The entry point of the command `leased` and of `python -m leased`.

It is outside the package `daemon` because python-daemon has the same import name: if both are
installed, `daemon` may be either of them, or a mixture, and only a module outside can report that.
"""

import signal
import sys
from importlib import metadata, util
from pathlib import Path

PACKAGES = (
    "alembic",
    "croniter",
    "jinja2",
    "prometheus_client",
    "pydantic",
    "rich",
    "standardwebhooks",
    "starlette",
    "structlog",
    "typer",
    "uvicorn",
)
"""The import names of what the extra `daemon` installs, except tzdata, which most systems have
already.
"""


def main() -> int:
    """Run the command and return its exit status."""
    if (obstacle := _obstacle()) is not None:
        sys.stderr.write(f"leased: {obstacle}\n")
        return 1
    # Ctrl-C while the command loads is not an error and needs no traceback.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from daemon.cli import main as command  # noqa: PLC0415 - not before it is known that `daemon` is ours

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return command(sys.argv[1:])


def _obstacle() -> str | None:
    try:
        metadata.distribution("python-daemon")
    except metadata.PackageNotFoundError:
        pass
    else:
        return (
            "python-daemon is installed in this environment, and its package is called `daemon` too; "
            "install leased in an environment of its own"
        )
    found = util.find_spec("daemon")
    folders = found.submodule_search_locations if found else None
    if not any((Path(folder) / "cli").is_dir() for folder in folders or ()):
        return (
            "another module `daemon` hides that of leased; run the command from another folder "
            "or in an environment of its own"
        )
    missing = [package for package in PACKAGES if util.find_spec(package) is None]
    if missing:
        return (
            f"the command needs packages that are not installed ({', '.join(missing)}): they come with the extra "
            "`daemon`, so run: pip install 'leased[daemon]' (in a clone of it: pip install '.[daemon]')"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
