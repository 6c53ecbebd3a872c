"""The settings of the command: a flag, or else a variable, `[settings]` of the file, a default."""

import ipaddress
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from lease.database.address import parse_address
from lease.durations import format_duration
from lease.errors import InvalidTiming, LeaseError
from lease.timing import LeaseTiming

from ..definitions.definition import firsts
from ..definitions.values.durations import duration
from ..definitions.values.strings import Revision
from ..definitions.values.targets import check_url
from ..errors import Mistakes, together
from ..jobs.processes.process_tree import MARK
from ..scheduling.generations.order import TAKEOVER_AFTER
from ..text import shortened, suggestion
from ..web.address import WebAddress
from .environment import SettingsError, variable_of

__all__ = ["DEFAULT_DATABASE", "Flag", "Settings", "SettingsError", "flag_of", "read_settings"]

DEFAULT_DATABASE = "sqlite:///leased.db"
STOP_MARGIN = 6.0
"""Seconds beyond `grace` and `kill_time` for handing runs back and closing everything."""
_TIMING = {
    "lease_ttl": "ttl",
    **{name: name for name in ("renew_every", "give_up", "attempt_timeout", "retry_wait", "kill_time")},
}
"""The settings of the lease's timing, and what `LeaseTiming` calls them."""


# The values, as the command line and the environment write them: each raises `ValueError`


def at_least_one(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f'"{value}" is not a whole number of 1 or more')
    return int(text)


def longer_than_nothing(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("it must be longer than 0s")
    return seconds


def web_address(value: Any) -> WebAddress | None:
    """Return where to answer over HTTP; None for nowhere."""
    if value is None or isinstance(value, WebAddress):
        return value
    return None if str(value).strip().lower() == "off" else WebAddress.parse(str(value))


SHORTEST_TOKEN = 20
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def check_token(token: str) -> None:
    """Raise `ValueError` for a token that can be guessed, or that no header can carry."""
    if len(token) < SHORTEST_TOKEN:
        raise ValueError(
            f"{len(token)} characters can be guessed; use {SHORTEST_TOKEN} or more, as from `openssl rand -hex 32`"
        )
    if not token.isascii() or " " in token or not token.isprintable():
        raise ValueError("it has spaces or characters that are not ASCII; make a token with `openssl rand -hex 32`")


def host_names(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    names = tuple(str(name).lower().removesuffix(".") for name in given)
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(
                f'"{name}" is not the name of a host; write it without scheme and port: leased.example.com'
            )
    return names


def page_url(url: str | None) -> str | None:
    """Return where people reach the pages, without a slash at its end."""
    if url is None:
        return None
    check_url(url)
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError(
            f'"{shortened(url)}" has a query; write only where the pages begin: https://leased.example.com'
        )
    return url.rstrip("/")


_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def path_prefix(value: str) -> str:
    """Return a prefix of paths, without a slash at its end."""
    path = value.strip().rstrip("/")
    if not _PATH.fullmatch(path) or len(path) > 100 or {".", ".."} & set(path.split("/")):
        raise ValueError(f'"{shortened(value)}" is not a path such as /leased; use letters, digits and ._~-')
    return path


def header(value: str | None) -> str | None:
    """Return the name of a header in small letters."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9-]{1,100}", value):
        raise ValueError(f'"{shortened(value)}" is not the name of a header, such as X-Forwarded-User')
    return None if value is None else value.lower()


def networks(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    try:
        return tuple(str(ipaddress.ip_network(str(one), strict=False)) for one in given)
    except ValueError as error:
        raise ValueError(f"{error}; write addresses or networks: 10.0.0.7, 10.1.0.0/16") from None


def ping_url(url: SecretStr | None) -> SecretStr | None:
    """Return the URL of a monitor, which no error shows."""
    if url is not None:
        check_url(url.get_secret_value())
    return url


LONGEST_RELEASE = 200


def release_name(text: str | None) -> str | None:
    if text is None:
        return None
    name = text.strip()
    if not name or len(name) > LONGEST_RELEASE or not name.isprintable():
        raise ValueError(
            f"a release is named by 1 to {LONGEST_RELEASE} printable characters, such as a commit or an image"
        )
    return name


def readable(url: SecretStr) -> SecretStr:
    """Return the URL; raises `ValueError` for one that cannot be used."""
    try:
        parse_address(url.get_secret_value())
    except LeaseError as error:
        raise ValueError(str(error)) from None
    return url


# The settings


@dataclass(frozen=True, slots=True)
class Flag:
    name: str | None = ""
    """By default the setting's own, with hyphens; None for no flag."""
    value: str = ""
    """What the help calls its value; by default its type says so."""


NO_FLAG = Flag(None)
"""For what must not show in the list of processes."""


def _by_default(shown: str) -> Any:
    """Return what the JSON Schema and the reference call the default, where the field's own cannot be written."""
    return Field(json_schema_extra={"default": shown})


def _in_proportion(name: str) -> Any:
    """Return the same of a duration that follows the ttl unless it is set (rule 3)."""
    return _by_default(format_duration(getattr(LeaseTiming(), name)))


Seconds = Annotated[float, duration()]
Word = BeforeValidator(lambda value: str(value).strip().lower())


warnings.filterwarnings("ignore", 'Field name "schema" in "Settings" shadows')  # a method that pydantic has given up


class Settings(BaseModel):
    """All settings of the command, durations in seconds. Each field is one, and the string below it says what it means.

    Passwords and tokens show in no representation of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    database_url: Annotated[
        SecretStr,
        AfterValidator(readable),
        Flag("--database", "URL"),
        Field(title="a URL"),
        _by_default(DEFAULT_DATABASE),
    ] = SecretStr(DEFAULT_DATABASE)
    """URL of the database: `postgresql://`, `postgres://` or `sqlite:///`."""
    database_url_file: Annotated[str | None, NO_FLAG, Field(title="a file")] = None
    """A file that contains the URL, such as a mounted secret; not together with `database_url`."""
    schema: Annotated[str | None, Flag(value="NAME"), _by_default("public")] = None  # type: ignore[assignment]
    """Schema of the tables on PostgreSQL."""
    lease_ttl: Annotated[Seconds | None, Flag("--ttl"), _in_proportion("ttl")] = None
    """How long a lease lasts after its last renewal, at most 30 days. The five settings below scale with it unless set (`attempt_timeout` up to 5s, `retry_wait` up to 1s, `kill_time` up to 10s)."""
    renew_every: Annotated[Seconds | None, _in_proportion("renew_every")] = None
    """How often to renew leases."""
    give_up: Annotated[Seconds | None, _in_proportion("give_up")] = None
    """How long to trust a lease, counted from when its last confirmed renewal was sent."""
    attempt_timeout: Annotated[Seconds | None, _in_proportion("attempt_timeout")] = None
    """Timeout of one attempt to reach the database."""
    retry_wait: Annotated[Seconds | None, _in_proportion("retry_wait")] = None
    """How long to wait after a failed attempt."""
    kill_time: Annotated[Seconds | None, _in_proportion("kill_time")] = None
    """How long work may take to stop after its lease is lost, and the time between SIGTERM and SIGKILL."""
    concurrency: Annotated[int, BeforeValidator(at_least_one, json_schema_input_type=Annotated[int, Field(ge=1)])] = 10
    """How many runs one replica executes at a time."""
    grace: Seconds = 20.0
    """How long jobs may keep running after the replica gets SIGTERM."""
    poll: Annotated[Seconds, AfterValidator(longer_than_nothing)] = 1.0
    """Polling interval when LISTEN/NOTIFY is unavailable."""
    takeover_after: Annotated[Seconds, AfterValidator(longer_than_nothing)] = TAKEOVER_AFTER
    """How long to wait for newer replicas before falling back to older definitions."""
    revision: Annotated[Revision | None, Flag(value="N"), Field(title="a whole number of 0 or more")] = None
    """Orders definitions: a higher revision supersedes a lower one. By default the `revision` in FILE."""
    release: Annotated[str | None, AfterValidator(release_name), Flag(value="NAME"), Field(title="a name")] = None
    """Name of the deployed code, such as a commit or an image. By default a hash of FILE and the modules it imports."""
    web: Annotated[
        WebAddress | None,
        BeforeValidator(web_address, json_schema_input_type=str),
        Flag(value="HOST:PORT"),
        Field(title="HOST:PORT, or `off`"),
        _by_default(str(WebAddress())),
    ] = WebAddress()
    """Address to serve HTTP on. Any address other than loopback needs a token."""
    web_token: Annotated[SecretStr | None, NO_FLAG, Field(title="a token")] = None
    """Token of 20 characters or more that each request must send: `Authorization: Bearer …`. Only probes need none."""
    web_read_token: Annotated[SecretStr | None, NO_FLAG, Field(title="a token")] = None
    """Another token, which can only read (GET and HEAD)."""
    web_hosts: Annotated[
        tuple[str, ...],
        BeforeValidator(host_names, json_schema_input_type=str | list[str]),
        Flag(value="HOST,…"),
        Field(title="names of hosts"),
    ] = ()
    """Names by which requests may address the server, besides localhost, IP addresses and the host in `web`."""
    web_url: Annotated[str | None, AfterValidator(page_url), Flag(value="URL"), Field(title="a URL")] = None
    """URL at which people open the pages, such as `https://leased.example.com`: messages link there, and its host is one of `web_hosts`."""
    web_path: Annotated[str, AfterValidator(path_prefix), Field(title="a path")] = ""
    """Path under which a proxy serves the pages, such as `/leased`. By default the path of `web_url`. The proxy may remove it or leave it."""
    web_user_header: Annotated[str | None, AfterValidator(header), Flag(value="NAME"), Field(title="a name")] = None
    """Header in which a proxy names the user, such as `X-Forwarded-User`. Acts are recorded under that name."""
    web_proxies: Annotated[
        tuple[str, ...],
        BeforeValidator(networks, json_schema_input_type=str | list[str]),
        Flag(value="ADDRESS,…"),
        Field(title="addresses or networks"),
    ] = ()
    """Proxies whose `web_user_header` is trusted. From any other address, the header is ignored."""
    ping: Annotated[SecretStr | None, AfterValidator(ping_url), NO_FLAG, Field(title="a URL")] = None
    """URL of a monitor that one replica pings every minute, unless a schedule should have succeeded by then and has not. See [messages](messages.md#the-ping-of-the-fleet)."""
    job_output: Annotated[Literal["store", "log"], Word] = "store"
    """Where the output of jobs goes: to the database, or with `log` to the replica's log as well, line by line."""
    log_format: Annotated[Literal["text", "json"], Word] = "text"
    """Format of the log lines."""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Word] = "info"
    """Lowest level to log. At `info` a run is one line, when it ends; at `debug` its start and its jobs are logged too."""

    @property
    def database(self) -> str:
        """The database's URL, with its password; the schema is a parameter of it."""
        url = self.database_url.get_secret_value()
        return url if self.schema is None else parse_address(url, self.schema).render_as_string(hide_password=False)

    @property
    def tokens(self) -> tuple[str | None, str | None]:
        """What a request over HTTP must carry: to read and act, and only to read."""
        acts, reads = [one.get_secret_value() if one else None for one in (self.web_token, self.web_read_token)]
        return acts, reads

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which requests over HTTP may address the server, besides the usual ones."""
        own = None if self.web_url is None else urlsplit(self.web_url).hostname
        return frozenset(self.web_hosts) | ({own} if own else set())

    @property
    def pages_at(self) -> str:
        """The path under which the pages are: empty, or without a slash at its end."""
        own = "" if self.web_url is None else urlsplit(self.web_url).path
        try:
            return self.web_path or path_prefix(own)
        except ValueError:
            return ""

    @property
    def longest_stop(self) -> float:
        """The seconds from SIGTERM to the end at most (rule 19): by default below the 30 s of most supervisors."""
        return self.grace + self.timing.kill_time + STOP_MARGIN

    @property
    def timing(self) -> LeaseTiming:
        """The lease's timing; what is not set follows the ttl in proportion (rule 3)."""
        return LeaseTiming(**{known_as: getattr(self, name) for name, known_as in _TIMING.items()})


_ELSEWHERE = {
    "revision": "write revision = … at the top of the file",
    "notify": "write it in [defaults], for all schedules",
}


def flag_of(name: str) -> str | None:
    own = next((mark for mark in Settings.model_fields[name].metadata if isinstance(mark, Flag)), Flag())
    return f"--{name.replace('_', '-')}" if own.name == "" else own.name


def flag_or_name(name: str) -> str:
    return (flag_of(name) if name in Settings.model_fields else None) or name


def read_settings(
    flags: Mapping[str, Any] | None = None,
    file: Mapping[str, Any] | None = None,
    *,
    source: str = "",
    called: Callable[[str], str] = flag_or_name,
) -> Settings:
    """Return the settings; raises `SettingsError`, whose sentence names where the wrong one stands.

    ``flags`` has the settings given on the command line (None: not given), ``file`` the `[settings]` of the
    TOML file, which errors name by ``source``. ``called`` returns what one in ``flags`` is called there.
    """
    mistakes = Mistakes()
    with mistakes:
        return _checked(*_given(flags or {}, file or {}, called))
    raise together(
        SettingsError(f"{source}: {one}" if source and one.startswith("[settings]") else one)
        for one in map(str, mistakes.found)
    )


def _checked(given: Mapping[str, Any], places: Mapping[str, str]) -> Settings:
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise together(SettingsError(_sentence(one, given, places)) for one in firsts(error)) from None
    try:
        _ = settings.timing
    except InvalidTiming as error:
        named = [places[name] for name in _TIMING if name in places]
        raise SettingsError(f"{' and '.join(named)}: {error}") from None
    try:
        _ = settings.database
    except LeaseError as error:
        raise SettingsError(f"{places['schema']}: {error}") from None
    if (settings.web_user_header is None) != (not settings.web_proxies):
        name, other = ("web_proxies", "WEB_USER_HEADER") if settings.web_proxies else ("web_user_header", "WEB_PROXIES")
        raise SettingsError(f"{places[name]}: set LEASED_{other} too; neither has an effect without the other")
    if settings.web is not None:
        _check_tokens(settings, places, is_needed=not settings.web.loopback)
    return settings


def _check_tokens(settings: Settings, places: Mapping[str, str], *, is_needed: bool) -> None:
    acts, reads = settings.tokens
    for name, token in (("web_token", acts), ("web_read_token", reads)):
        try:
            if token is not None:
                check_token(token)
        except ValueError as error:
            raise SettingsError(f"{places[name]}: {error}") from None
    if reads is not None and (acts is None or acts == reads):
        raise SettingsError(f"{places['web_read_token']}: set LEASED_WEB_TOKEN too, to another token, which can act")
    if is_needed and acts is None:
        raise SettingsError(
            f"{places['web']}: {settings.web} can be reached from other machines; set LEASED_WEB_TOKEN, which requests "
            "must then carry, or use 127.0.0.1"
        )


def _given(
    flags: Mapping[str, Any], file: Mapping[str, Any], called: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what was given, and where: a flag before the environment, and that before the file."""
    for name, remedy in _ELSEWHERE.items():
        if name in file:
            raise SettingsError(f"[settings] {name}: it is not a setting; {remedy}")
    variables = {name: os.environ.get(variable_of(name)) for name in Settings.model_fields}
    sources: list[tuple[Mapping[str, Any], Callable[[str], str]]] = [
        (file, "[settings] {}".format),
        ({name: value for name, value in variables.items() if value}, variable_of),
        ({name: value for name, value in flags.items() if value is not None}, called),
    ]
    given: dict[str, Any] = {}
    places: dict[str, str] = {}
    for values, place in sources:
        given |= values
        places |= {name: place(name) for name in values}
    given.pop("database_url_file", None)  # it is kept only if it has given the URL
    if flags.get("database_url") is None and (found := url_from_file(file)) is not None:
        given["database_url_file"], given["database_url"] = found
    return given, places


def _sentence(details: ErrorDetails, given: Mapping[str, Any], places: Mapping[str, str]) -> str:
    name = str(details["loc"][0])
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            said = f"there is no such setting; {suggestion(name, Settings.model_fields)}"
        case "literal_error":
            choices = context["expected"].replace("'", "").replace(" or ", ", ")
            said = f'"{given[name]}" is not one of {choices}'
        case "value_error":
            said = "; ".join(map(str, context["error"].args))  # of a Refusal the problem and the remedy
        case _:
            said = details["msg"][:1].lower() + details["msg"][1:]
    return f"{places[name]}: {said}"


# The database's URL out of a file, for the secrets of containers

_URL, _FILE = variable_of("database_url"), variable_of("database_url_file")


def url_from_file(in_file: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the file that the environment or `[settings]` (``in_file``) name, and the URL in it; None without one."""
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
