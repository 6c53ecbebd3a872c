"""The command `leased`: its options, its subcommands and what they print."""

from .app import main

__all__ = ["main"]
