"""A group of commands, each imported when it is used, so that the help imports none."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ..errors import NotYet
from ..text import nearest
from .failures import Misused


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """The place of a command, and its line in the help of the group, which is the first paragraph
    of its docstring.
    """

    module: str
    function: str
    help: str


class Commands(MutableMapping[str, Any]):
    """The commands of a group: ``entries``, imported on first use, and those added later."""

    def __init__(self, package: str, entries: Mapping[str, LazyCommand]) -> None:
        self._package = package
        self._entries = entries
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            entry = self._entries[name]  # a KeyError is for a name that is not there, and for no other
            try:
                self._loaded[name] = self._load(name, entry)
            except KeyError as error:
                raise RuntimeError(f"the command {name} could not be loaded") from error
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._entries, **self._loaded})

    def __len__(self) -> int:
        return len({**self._entries, **self._loaded})

    def _load(self, name: str, entry: LazyCommand) -> Any:
        found = getattr(import_module(f".{entry.module}", self._package), entry.function)
        if isinstance(found, typer.Typer):
            return get_command(found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(name)(found)
        return get_command(alone)


def lazy_group(package: str, entries: Mapping[str, LazyCommand]) -> type[TyperGroup]:
    """Return a class of group with ``entries``, whose modules are in ``package``, and with the
    commands that are registered in the usual way.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            registered = attributes.pop("commands", None) or {}
            super().__init__(**attributes)
            self.commands = Commands(package, entries)
            self.commands.update(registered)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and args[0] not in self.commands and not args[0].startswith("-"):
                raise Misused(no_such_command(args[0], entries))
            return super().resolve_command(ctx, args)

        def list_commands(self, ctx: Any) -> list[str]:
            del ctx
            return list(self.commands)

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            del ctx
            with formatter.section("Commands"):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()])

    return LazyGroup


_OTHERS = {
    "status": ("list", "ls", "ps", "top", "info", "schedules"),
    "runs": ("list", "ls", "history", "executions"),
    "run": ("start", "serve", "worker", "scheduler", "daemon", "up"),
    "trigger": ("start", "exec", "execute", "fire", "enqueue", "now"),
    "logs": ("log", "tail", "output"),
    "cancel": ("stop", "kill", "abort", "terminate"),
    "pause": ("disable", "suspend", "stop", "hold"),
    "resume": ("enable", "unpause", "continue"),
    "retry": ("rerun", "restart", "redo"),
    "check": ("validate", "lint", "verify", "next"),
    "sync": ("apply", "deploy", "push"),
    "retire": ("delete", "remove", "rm"),
    "show": ("describe", "inspect", "get"),
    "init": ("new", "create"),
    "import crontab": ("crontab", "convert"),
    "db upgrade": ("upgrade", "migrate"),
    "activity": ("audit-log", "events"),
    "locks": ("leases",),
    "--version": ("version",),
    "--help": ("help", "commands"),
}


def no_such_command(name: str, known: Iterable[str]) -> str:
    """Return the error about a command that does not exist, with what may be meant."""
    meant = [command for command, others in _OTHERS.items() if name.lower() in others]
    if not meant and (near := nearest(name, list(known))) is not None:
        meant = [near]
    remedy = f"did you mean {' or '.join(f'`leased {one}`' for one in meant)}?" if meant else "see `leased --help`"
    return f'there is no command "{name}"; {remedy}'


COMMANDS = {
    "lock": "use the library: lease.sync.LeaseClient(url).hold(name)",
}


def add_later(app: typer.Typer) -> None:
    """Register the commands that do not exist yet, hidden from the help."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name, remedy in COMMANDS.items():
        app.command(name, help="Does not exist yet.", hidden=True, context_settings=settings)(_refusing(name, remedy))


def _refusing(name: str, remedy: str) -> Callable[[], None]:
    def refuse() -> None:
        raise NotYet(f"the command {name} does not exist yet; {remedy}")

    return refuse
