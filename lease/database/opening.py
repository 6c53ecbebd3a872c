"""The opening of a database, by its kind."""

from importlib import import_module

from .address import Address
from .backend import backend_of
from .connections import Route, route_to
from .database import OwnDatabase


def open_database(
    address: Address | Route, *, timeout: float, connections: int = 2, application: str = "leased"
) -> OwnDatabase:
    """Return a `lease.database.database.OwnDatabase`; nothing is connected yet.

    ``timeout`` bounds each attempt, in seconds, connecting included. Use it from one event loop only.
    """
    route = address if isinstance(address, Route) else route_to(address)
    # The module of its kind alone is loaded, and with it the driver that the other kind does not
    # need.
    name = backend_of(route.url).name
    kind = getattr(import_module(f".{name}", __package__), f"{name.capitalize()}Database")
    database: OwnDatabase = kind(route, timeout=timeout, connections=connections, application=application)
    return database
