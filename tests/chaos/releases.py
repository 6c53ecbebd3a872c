"""The releases of a campaign's application: the same file, with more, fewer and other schedules."""

RELEASE = "CHAOS_RELEASE"
"""The environment variable that says which one a replica has."""
RELEASES = (1, 2, 3)
LAST = RELEASES[-1]
"""The one with which a campaign ends."""

ONLY = {"goes": (1, 2), "comes": (2, 3), "returns": (1, 3)}
"""Schedules that not every release has, and those that have them."""
CHANGING = {1: ("one", "two"), 2: ("one", "three"), 3: ("three", "four")}
"""The jobs of a schedule that each release has otherwise: one that has failed may be gone."""
RENAMED = {1: "before", 2: "after", 3: "after"}
"""A schedule that has another name from the second release on, and its old one again after a rollback."""
RETIMED = {1: 8, 2: 10, 3: 14}
"""Every how many seconds a schedule is due."""
