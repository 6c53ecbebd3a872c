"""What the code of FILE is called where nobody has given it a name: a hash of what was imported (rule 22)."""

import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ..application import Application

_OURS = frozenset({"daemon", "lease", "leased", "__main__"})
_OF_THE_HOST = frozenset({"sitecustomize", "usercustomize"})
"""What an interpreter imports by itself, and a distribution keeps outside of the standard library."""
_OF_PACKAGES = frozenset({"site-packages", "dist-packages"})
_SHOWN = 12
_HEADER_OF_COMPILED = 16
"""Bytes: a time is in them."""


def hash_of_code(application: Application) -> str:
    """Return the same text for the same contents, on every host and whenever they were written: of FILE, and of each
    module that has been imported by now. Modules of the standard library and of installed packages are left out, but for
    the packages that have FILE itself or one of its functions.
    """
    source = application.source.resolve()
    files, of_others = list(_files()), _folders_of_others()
    own = {name.partition(".")[0] for name in _modules_of_functions(application)}
    own |= {name.partition(".")[0] for name, file, _ in files if file == source}

    def counts(name: str, file: Path) -> bool:
        return file != source and (name.partition(".")[0] in own or not _is_of_others(file, of_others))

    found = {name: (file, module) for name, file, module in files if counts(name, file)}
    digest = hashlib.sha256(_contents(source, None))
    for name in sorted(found):
        digest.update(f"\n{name}\n".encode())
        digest.update(hashlib.sha256(_contents(*found[name])).digest())
    return f"sha256:{digest.hexdigest()[:_SHOWN]}"


def _modules_of_functions(application: Application) -> Iterator[str]:
    """Yield the names of the modules that have jobs; what `exec` has made may say of none."""
    for schedule in application.schedules:
        for job in schedule.jobs:
            name = getattr(job.function, "__module__", None)
            if isinstance(name, str):
                yield name


def _files() -> Iterator[tuple[str, Path, ModuleType]]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name.partition(".")[0] not in _OURS | _OF_THE_HOST:
            yield name, Path(file).resolve(), module


def _is_of_others(file: Path, folders: set[Path]) -> bool:
    return not _OF_PACKAGES.isdisjoint(file.parts) or not folders.isdisjoint(file.parents)


def _folders_of_others() -> set[Path]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return {Path(folder).resolve() for folder in folders}


def _contents(file: Path, module: ModuleType | None) -> bytes:
    """Return what a file holds, or a module in an archive; nothing of one that is gone."""
    try:
        found = file.read_bytes()
    except OSError:
        try:
            found = module.__loader__.get_data(str(file))  # type: ignore[union-attr]  # one without it is caught
        except (AttributeError, OSError):
            return b""
    return found[_HEADER_OF_COMPILED:] if file.suffix == ".pyc" else found
