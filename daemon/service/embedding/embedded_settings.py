"""The settings of a replica inside another program: keywords, and otherwise the environment, or a default."""

from collections.abc import Mapping
from typing import Any

from ...text import suggestion
from ..environment import SettingsError
from ..settings import Settings, read_settings

NOT_EMBEDDED: Mapping[str, str] = {
    "database_url": "the URL comes first, without a name: schedules.replica(url)",
    "database_url_file": "read the file in your program, and give the URL that it holds",
    "web": "an embedded replica serves no HTTP; answer probes in your program with `is_ready` and `problems()`",
    **dict.fromkeys(
        ("web_token", "web_read_token", "web_hosts", "web_path", "web_user_header", "web_proxies"),
        "an embedded replica serves no HTTP; protect what your program serves",
    ),
    "log_format": "an embedded replica logs as your program does; set that up with `logging`",
    "log_level": 'an embedded replica logs as your program does; use logging.getLogger("leased").setLevel(…)',
}
"""The settings of `leased run` that are the program's own affair here, and what to do instead."""


def embedded_settings(url: str, given: Mapping[str, Any]) -> Settings:
    """Return the settings; raises `SettingsError`."""
    if not isinstance(url, str):
        raise SettingsError(f"the URL of the database is {url!r}; give a string, as in sqlite:///leased.db")
    known = [name for name in Settings.model_fields if name not in NOT_EMBEDDED]
    for name in given:
        if name in NOT_EMBEDDED:
            raise SettingsError(f"{name}: {NOT_EMBEDDED[name]}")
        if name not in known:
            raise SettingsError(f"{name}: there is no such setting; {suggestion(name, [*known, 'take_over'])}")
    return read_settings({**given, "database_url": url, "web": "off"}, called=_keyword)


def _keyword(name: str) -> str:
    return "the URL of the database" if name == "database_url" else name
