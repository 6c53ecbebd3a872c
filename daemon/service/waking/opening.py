"""The opening of a replica's hearing, by the kind of its database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lease.database.backend import backend_of
from lease.database.connections import route_to

from ...execution.context import ReplicaContext
from .changes import Commits
from .hearing import Hearing


@asynccontextmanager
async def hearing_of(context: ReplicaContext) -> AsyncIterator[Hearing]:
    """Let a replica hear during the block; at its end, what it has to say itself is sent."""
    hearing = _open(context)
    try:
        yield hearing
    finally:
        await hearing.close()
        await context.herald.finish()


def _open(context: ReplicaContext) -> Hearing:
    url = context.database.url
    backend = backend_of(url)
    if (file := backend.file(url)) is not None:
        return Commits(file, context.notify)
    if not backend.listens:
        return Hearing()
    from .notifications import Notifications  # noqa: PLC0415 - its driver is loaded only where there is one

    return Notifications(route_to(url), context.application.name, context.client.holder, context.notify)
