"""The examination of an installation by `leased doctor`, and the results of its checks."""

from .checks import checked, doctor
from .examination import Examined, examine

__all__ = ["Examined", "checked", "doctor", "examine"]
