"""The settings of the command: flag, then environment, then `[settings]` of the TOML file, then default."""

import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from lease.database.address import parse_address
from lease.durations import parse_duration
from lease.errors import InvalidTiming, LeaseError
from lease.timing import LeaseTiming

from ..web.address import WebAddress
from .database_url import url_from_file
from .environment import PREFIX, SettingsError, nearest_setting

__all__ = ["DEFAULT_DATABASE", "FLAGS", "Settings", "SettingsError", "read_settings"]

DEFAULT_DATABASE = "sqlite:///leased.db"
FLAGS = {"database_url": "--database", "lease_ttl": "--ttl"}
"""The flags that are not named after their setting."""
_TIMING = ("lease_ttl", "renew_every", "give_up", "attempt_timeout", "retry_wait", "kill_time")


def _one_of(*choices: str) -> BeforeValidator:
    def check(value: Any) -> str:
        text = str(value).strip().lower()
        if text not in choices:
            raise ValueError(f'"{value}" is none of {", ".join(choices)}')
        return text

    return BeforeValidator(check)


def _at_least_one(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f'"{value}" is not a whole number of 1 or more')
    return int(text)


def _longer_than_nothing(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("it must be longer than 0s")
    return seconds


def _web(value: Any) -> WebAddress | None:
    if isinstance(value, WebAddress) or value is None:
        return value
    return None if str(value).strip().lower() == "off" else WebAddress.parse(str(value))


def _readable(url: SecretStr) -> SecretStr:
    try:
        parse_address(url.get_secret_value())
    except LeaseError as error:
        raise ValueError(str(error)) from None
    return url


Seconds = Annotated[float, BeforeValidator(parse_duration)]


class Settings(BaseSettings):
    """All settings; durations in seconds. Passwords and tokens show in no representation of it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: Annotated[SecretStr, AfterValidator(_readable)] = SecretStr(DEFAULT_DATABASE)
    lease_ttl: Seconds | None = None
    renew_every: Seconds | None = None
    give_up: Seconds | None = None
    attempt_timeout: Seconds | None = None
    retry_wait: Seconds | None = None
    kill_time: Seconds | None = None
    concurrency: Annotated[int, BeforeValidator(_at_least_one)] = 10
    """How many runs at once."""
    grace: Seconds = 30.0
    """How long a replica that was told to stop lets jobs finish."""
    poll: Annotated[Seconds, AfterValidator(_longer_than_nothing)] = 1.0
    """How often it looks for what is due, at the least."""
    web: Annotated[WebAddress | None, BeforeValidator(_web)] = WebAddress()
    """Where it answers over HTTP; ``off`` for nowhere."""
    web_token: SecretStr | None = None
    log_format: Annotated[Literal["text", "json"], _one_of("text", "json")] = "text"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _one_of("debug", "info", "warning", "error")] = (
        "info"
    )

    @property
    def database(self) -> str:
        """The database's URL, with its password."""
        return self.database_url.get_secret_value()

    @property
    def token(self) -> str | None:
        """What a request over HTTP must carry."""
        return self.web_token.get_secret_value() if self.web_token else None

    @property
    def timing(self) -> LeaseTiming:
        """The lease's timing; what is not set follows the ttl in proportion (rule 3)."""
        ttl, *others = (getattr(self, name) for name in _TIMING)
        return LeaseTiming(ttl, **dict(zip(_TIMING[1:], others, strict=True)))


def read_settings(flags: Mapping[str, Any] | None = None, file: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings; raises `SettingsError` with one sentence that names where the wrong one stands.

    ``flags`` has the settings given on the command line (None: not given), ``file`` the `[settings]` of the TOML file.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    in_file = dict(file or {})
    place = _places(given, in_file)
    if "database_url" not in given and (url := url_from_file(in_file)) is not None:
        given["database_url"] = url
    in_file.pop("database_url_file", None)
    try:
        settings: Settings = _with_file(in_file)(**given)
    except ValidationError as error:
        raise SettingsError(_sentence(error, place)) from None
    try:
        _ = settings.timing
    except InvalidTiming as error:
        named = [place(name) for name in _TIMING if getattr(settings, name) is not None]
        raise SettingsError(f"{' and '.join(named)}: {error}") from None
    if settings.web and not settings.web.loopback and not settings.token:
        raise SettingsError(
            f"{place('web')}: {settings.web} can be reached from other machines; set LEASED_WEB_TOKEN, which requests "
            "must then carry, or use 127.0.0.1"
        )
    return settings


def _with_file(in_file: dict[str, Any]) -> type[Settings]:
    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, InitSettingsSource(settings_cls, in_file)

    return Sourced


def _places(flags: Mapping[str, Any], in_file: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what says where a setting was given."""

    def place(name: str) -> str:
        if name in flags:
            return FLAGS.get(name, f"--{name.replace('_', '-')}")
        variable = f"{PREFIX}{name.upper()}"
        return f"[settings] {name}" if name in in_file and not os.environ.get(variable) else variable

    return place


def _sentence(error: ValidationError, place: Callable[[str], str]) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"{place(name)}: there is no such setting; {nearest_setting(name, Settings.model_fields)}"
    reason = first.get("ctx", {}).get("error")
    said = str(reason) if reason is not None else first["msg"][:1].lower() + first["msg"][1:]
    return f"{place(name)}: {said}"
