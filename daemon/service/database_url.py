"""The database's URL out of a file, for the secrets of containers: `database_url_file`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from lease.database.address import parse_address
from lease.errors import LeaseError

from ..jobs.processes.process_tree import MARK
from .environment import SettingsError, variable_of

_URL, _FILE = variable_of("database_url"), variable_of("database_url_file")


def readable(url: SecretStr) -> SecretStr:
    """Return the URL; raises `ValueError` for one that cannot be used."""
    try:
        parse_address(url.get_secret_value())
    except LeaseError as error:
        raise ValueError(str(error)) from None
    return url


def url_from_file(in_file: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the file that the environment or `[settings]` (``in_file``) name, and the URL that it
    holds; None where they name none.
    """
    url, path = os.environ.get(_URL), os.environ.get(_FILE)
    if url and MARK in os.environ:
        return None  # in a job, where its replica has named the database, and inherited what had named it
    if url and path:
        raise SettingsError(f"{_URL} and {_FILE} are both set: leave one of them out")
    for name, value, other in ((_URL, url, path), (_FILE, path, url)):
        if value is not None and not value.strip() and not other:
            raise SettingsError(f"{name} is set, but empty; give it a value, or unset it to use the default")
    if path:
        return path, read_url(path, _FILE)
    if url or "database_url_file" not in in_file:
        return None
    if "database_url" in in_file:
        raise SettingsError("[settings] has both database_url and database_url_file: leave one of them out")
    path = str(in_file["database_url_file"])
    return path, read_url(path, "[settings] database_url_file")


def read_url(path: str, where: str) -> str:
    """Return the URL that a file holds; raises `SettingsError`, which names ``where`` the file is named."""
    try:
        url = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f'{where}: "{path}" cannot be read: {error.strerror}') from None
    except UnicodeDecodeError:
        raise SettingsError(f'{where}: "{path}" cannot be read: it is not UTF-8') from None
    if not url:
        raise SettingsError(f'{where}: "{path}" is empty; it must contain the URL of the database')
    if len(url.splitlines()) > 1:
        raise SettingsError(f'{where}: "{path}" has several lines; it must contain only the URL of the database')
    try:
        parse_address(url)
    except LeaseError as error:
        raise SettingsError(f'{where}: the URL in "{path}" is not valid: {error}') from None
    return url
