"""Variables that begin with LEASED_: settings, those that children get, and unknown ones."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, get_args

from ..errors import DaemonError
from ..text import suggestion

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PREFIX = "LEASED_"
SUPERVISOR_FD = "LEASED_SUPERVISOR_FD"
REPLICA_INDEX = "LEASED_REPLICA_INDEX"
READY_FD = "LEASED_READY_FD"
CHECKED_DIGEST = "LEASED_CHECKED_DIGEST"
REPLACED_PROCESS = "LEASED_REPLACED_PROCESS"
EARLIER_HOLDER = "LEASED_EARLIER_HOLDER"
SOFT_LIMIT = "LEASED_SOFT_LIMIT"
_FOR_CHILDREN = (
    "ATTEMPT BRIEF IDEMPOTENCY_KEY KEEPER MESSAGE MESSAGE_KIND PARAMS PARAMS_FILE "
    "REPORT_FD RUN SCHEDULE SCHEDULED_FOR TRUST"
)
_OURS = frozenset(
    {SUPERVISOR_FD, REPLICA_INDEX, READY_FD, CHECKED_DIGEST, REPLACED_PROCESS, EARLIER_HOLDER, SOFT_LIMIT}
)


class SettingsError(DaemonError, ValueError):
    """A setting that cannot be used; the sentence names where it stands."""


def variable_of(setting: str) -> str:
    return f"{PREFIX}{setting.upper()}"


def withhold_secrets(environment: MutableMapping[str, str], settings: "Mapping[str, FieldInfo]") -> None:
    """Take the secret settings, and what names files that hold them, out of ``environment``, which jobs inherit."""
    from pydantic import SecretStr  # noqa: PLC0415 - `leased --help` comes here too, and loads little

    for name, field in settings.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            for variable in (variable_of(name), f"{variable_of(name)}_FILE"):
                environment.pop(variable, None)


def unknown_variables(environment: Mapping[str, str], settings: Iterable[str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting and is none."""
    known = [variable_of(name) for name in settings]
    return [
        f"{variable} is set, but there is no such setting; {suggestion(variable, known)}"
        for variable in sorted(environment)
        if variable.startswith(PREFIX)
        and variable not in (*known, *map(variable_of, _FOR_CHILDREN.split()), *_OURS)
        and not variable.startswith(f"{PREFIX}TEST_")
    ]
