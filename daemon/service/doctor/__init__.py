"""What `leased doctor` looks at, and what it says of that: an installation before its first run, and in trouble."""

from .checks import Check, Level, checked
from .examination import Examined, examine

__all__ = ["Check", "Examined", "Level", "checked", "examine"]
