"""The releases that are live beside each other, as commands show them."""

from collections.abc import Iterable

from ....states import LIVE
from ....store.views import ReplicaLine
from ....text import listed

_MOST = 5
"""How many replicas of each are named."""


def releases_live(replicas: Iterable[ReplicaLine]) -> list[str]:
    """Return a line about each application whose live replicas run different code, and about each replica that
    leaves its runs to those of a higher revision.
    """
    living = [one for one in replicas if one.state in LIVE]
    by_release: dict[str, dict[str, list[str]]] = {}
    for one in living:
        of_application = by_release.setdefault(one.application, {})
        of_application.setdefault(one.release or "not known", []).append(f"{one.host}:{one.pid}")
    said = [
        f"{len(found)} releases of {application} are live: "
        + "; ".join(f"{release} on {listed(names, _MOST)}" for release, names in sorted(found.items()))
        + "."
        for application, found in by_release.items()
        if len(found) > 1
    ]
    said += [
        f"{one.host}:{one.pid} claims no runs of {one.application}: its revision is {_own(one)}, a replica of "
        f"revision {one.held_back_by} is ready, and with require_revision only the highest revision claims runs."
        for one in living
        if one.held_back_by is not None
    ]
    return said


def _own(line: ReplicaLine) -> str:
    counts = line.revision is None or line.held_back_by is None or line.held_back_by > line.revision
    return f"{line.revision}" if counts else f"{line.revision}, which no longer counts"
