"""What a time zone's clock goes by, which is the same under each of its names."""

import zoneinfo
from collections.abc import Hashable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path


@cache
def zone_rules(name: str) -> Hashable:
    """Return a digest of the rules of a time zone, the same for `Europe/Kiev` as for `Europe/Kyiv`; its name
    where the rules are not found.
    """
    for folder in zoneinfo.TZPATH:
        with suppress(OSError):
            return sha256(Path(folder, name).read_bytes()).digest()
    with suppress(ImportError, OSError):
        return sha256(files("tzdata").joinpath("zoneinfo", name).read_bytes()).digest()
    return name
