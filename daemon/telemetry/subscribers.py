"""The subscribers of a replica's facts: what shows or logs them, the program's own, and those of installed packages."""

from importlib.metadata import entry_points

from .facts import SubscriberFailed
from .notifier import Notifier, Subscriber

GROUP = "leased.facts"
"""The group of entry points under which a package names functions that take facts."""


def notifier(shown: Subscriber, own: Subscriber | None) -> Notifier:
    """Return a notifier of ``shown``, of the subscriber that FILE gives, and of those of packages. One that cannot be
    loaded is told to the others, and does no harm.
    """
    subscribers, broken = [shown] if own is None else [shown, own], list[SubscriberFailed]()
    for entry in entry_points(group=GROUP):
        try:
            subscriber = entry.load()
        except Exception as error:  # noqa: BLE001 - a package that is broken must not keep jobs from running
            broken.append(SubscriberFailed(entry.value, f"it cannot be loaded: {error!r}"))
        else:
            subscribers.append(subscriber)
    made = Notifier(*subscribers)
    for fact in broken:
        made.notify(fact)
    return made
