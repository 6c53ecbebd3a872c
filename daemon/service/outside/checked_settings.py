"""The settings that were checked, as a supervisor hands them to its replicas (rule 22)."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from lease.database.address import describe, parse_address

from ...web.address import WebAddress
from ..database_url import read_url
from ..environment import SettingsError
from ..settings import Settings


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return what was set, secrets included, as values that JSON has, and that `Settings` takes."""
    return {name: _plain(getattr(settings, name)) for name in sorted(settings.model_fields_set)}


def handed_over(given: Mapping[str, Any], supervisor: int) -> Settings:
    """Return the settings that the process ``supervisor`` has checked, with the database's password as its file has it
    now; raises `SettingsError` if that file leads anywhere else.
    """
    settings = Settings.model_validate(given)
    if settings.database_url_file is None:
        return settings
    path = settings.database_url_file
    url, checked = read_url(path, "database_url_file"), settings.database_url.get_secret_value()
    before, now = (parse_address(text).set(password="") for text in (checked, url))
    if now != before:
        raise SettingsError(
            f'the URL that "{path}" holds has changed in more than its password since the supervisor checked it (it was '
            f"{describe(before)}, and is {describe(now)}); send SIGHUP to the supervisor (process {supervisor}) to replace "
            "all replicas"
        )
    return settings.model_copy(update={"database_url": SecretStr(url)})


def _plain(value: Any) -> Any:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case WebAddress():
            return str(value)
        case _:
            return value
