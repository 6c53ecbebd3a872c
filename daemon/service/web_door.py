"""The door of a web server, as the settings want it."""

from ipaddress import ip_network

from ..web.address import WebAddress
from ..web.door import Door
from .settings import Settings


def door_to(address: WebAddress, settings: Settings) -> Door:
    """Return whom a server at this address lets in."""
    proxies = tuple(map(ip_network, settings.web_proxies))
    return Door(address, *settings.tokens, settings.hosts, settings.pages_at, settings.web_user_header, proxies)
