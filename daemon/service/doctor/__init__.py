"""The examination of an installation by `leased doctor`, and the results of its checks."""

from .checks import Check, Level, checked
from .examination import Examined, examine

__all__ = ["Check", "Examined", "Level", "checked", "examine"]
