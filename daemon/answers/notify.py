"""The answers about who is notified."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ..definitions.schedule import UnreadableDefinition, read_schedule
from ..definitions.values.targets import Target
from ..errors import NotFound
from ..store import statements
from ..store.views.names import application_of, keys_named, require_application
from ..store.views.targets import TargetLine, read_asking, read_targets
from ..text import target_text
from . import Items

NotifyAnswer = Items[TargetLine]


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a trial message."""

    target: str
    delivered: bool
    text: str


@dataclass(frozen=True, slots=True)
class NotifyTestAnswer:
    """The answer of `leased notify --test NAME --json`."""

    application: str
    schedule: str
    items: Sequence[Tried]


def notify_answer(connection: Connection, application: str | None) -> NotifyAnswer:
    """Return all targets that are defined, or to which something was sent lately; raises `NotFound`."""
    require_application(connection, application)
    lines = {(line.application, line.target): line for line in read_targets(connection, application)}
    for of, definition in read_asking(connection, application):
        for target in _targets(definition):
            lines.setdefault((of, target.address), TargetLine(of, target.address))
    return NotifyAnswer([replace(line, target=target_text(line.target)) for _, line in sorted(lines.items())])


def targets_to_try(connection: Connection, name: str, application: str | None) -> tuple[str, list[str]]:
    """Return the application of a schedule, and the targets of its messages; raises `NotFound`, if it has none too."""
    of = application_of(connection, name, application)
    keys = [key for _, key in keys_named(connection, name, of)]
    definitions = statements.delivery.asking(connection, of, keys)
    targets = [one for definition in definitions.values() for one in _targets(definition)]
    addresses = list(dict.fromkeys(one.address for one in targets if "ping.start" not in one.on))
    if not addresses:
        raise NotFound(f'"{name}" of {of} has no `notify`; add one to the schedule, or to [defaults]')
    return of, addresses


def _targets(definition: str) -> Sequence[Target]:
    try:
        return read_schedule(definition).targets
    except UnreadableDefinition:  # of a later version, whose `leased notify` shows them
        return ()
