"""The settings that mean nothing to a schedule that is due on request only: it has no instants."""

from ..definition import Definition
from ..values.refusal import Refusal

_LATER = "`leased trigger --at` requests a run for later"
_MEANINGLESS = {
    "starts": ("no run is held back until then", f"leave it out; {_LATER}"),
    "ends": ("nothing ends then", "leave it out; you decide when to stop requesting runs"),
    "enabled": ("there is nothing to switch off", "leave it out; it runs only on request"),
    "catch_up": ("it misses no runs", "leave it out"),
    "start_within": (
        "no scheduled time can be too old",
        'leave it out; finish_by = "4h" reports runs that are late',
    ),
    "exclude": ("it is not due on any day", "leave it out; a run starts on the day of its request"),
    "finish_by": (
        "it has no scheduled times that a time of day could follow",
        'write a duration, which counts from the request, like "4h"',
    ),
    "jitter": ("it has no scheduled times to spread", f"leave it out; {_LATER}"),
}
"""By setting, what follows from having no instants, and the remedy."""


def is_meaningless(setting: str, value: object) -> bool:
    """Return whether a setting that has another value than its default means nothing on request."""
    return setting in _MEANINGLESS and (setting != "finish_by" or isinstance(value, str))


def refuse_meaningless(schedule: Definition) -> None:
    """Raise `Refusal` for the first of its settings that means nothing on request."""
    for setting, info in schedule.settings().items():
        value = getattr(schedule, setting)
        if value != info.default and is_meaningless(setting, value):
            follows, remedy = _MEANINGLESS[setting]
            raise Refusal(f"it runs only on request, so {follows}", remedy, field=setting)
