"""The origin of a user's engine: the arguments that each of its connections is made with."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from ...errors import LeaseError, StoreUnavailable
from ...private import connect_arguments

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Hook = Callable[[Any, Any, list[Any], dict[str, Any]], Any]
"""A listener to "do_connect", which may change what a connection is made with."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What an engine connects with."""

    engine: Engine
    given: Mapping[str, Any] = field(repr=False)
    """The driver's arguments: from the engine's URL, and its ``connect_args``."""
    hooks: tuple[Hook, ...]

    def current(self) -> dict[str, Any]:
        """Return the arguments for a connection made now, as the engine's hooks have changed them.

        A hook may take its time (a token is fetched, say). Raises `LeaseError` for one that made a
        connection itself.
        """
        arguments = dict(self.given)
        for hook in self.hooks:
            try:
                made = hook(self.engine.dialect, None, [], arguments)
            except Exception as error:
                raise StoreUnavailable(f'a "do_connect" listener of the engine failed: {error!r}') from error
            if made is not None:
                made.close()
                raise refusal(['a "do_connect" listener that makes the connection itself'])
        return arguments


def origin_of(engine: "Engine | AsyncEngine") -> Origin:
    """Return what ``engine`` connects with; raises `LeaseError` where nobody can know."""
    sync: Engine = engine if isinstance(engine, Engine) else engine.sync_engine
    try:
        arguments = connect_arguments(sync.pool)
    except LookupError:
        raise refusal(["its connect_args, which this version of SQLAlchemy keeps elsewhere"]) from None
    if arguments is None:
        raise refusal(["the function that connects for it (creator, async_creator, or a pool of its own)"])
    return Origin(sync, arguments, tuple(sync.dialect.dispatch.do_connect))


def refusal(what: Iterable[str]) -> LeaseError:
    """Return the error about an engine that cannot be connected like."""
    return LeaseError(
        f"LeaseClient makes its own connections, and cannot take over {', '.join(what)} from this engine: "
        "give it a URL that says how to connect, such as postgresql://user@host/name?sslmode=verify-full&sslrootcert=ca.pem"
    )
